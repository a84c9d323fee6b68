// `registry users`.
import { listUsers } from "../manage/Accounts.ts";
import { flagsOf, withDatabase } from "./Database.ts";
import type { CommandOutput } from "./Output.ts";
import { remoteOf } from "./Remote.ts";

interface UserRow {
  readonly name: string;
  readonly id: string;
  readonly engines: number;
}

/** A row per user: name, id, number of engines. */
export const users = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const print = ({ name, id, engines }: UserRow): Promise<void> =>
    output.row({ name, id, engines }, `${name}\t${id}\t${engines}`);
  const flags = flagsOf(args, ["base-url"], [], 0);
  const remote = remoteOf(flags);
  if (remote !== undefined) {
    for await (const user of remote.rows<UserRow>("users", "users")) await print(user);
    return 0;
  }
  return withDatabase(flags, "read", async (file) => {
    for (const { user, engines } of listUsers(file)) await print({ ...user, engines });
    return 0;
  });
};
