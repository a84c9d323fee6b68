// `registry users`.
import { listUsers } from "../manage/Accounts.ts";
import { flagsOf, withDatabase } from "./Database.ts";
import { remoteOf } from "./Remote.ts";

const lineOf = (name: string, id: string, engines: number): string => `${name}\t${id}\t${engines}\n`;

/** A line per user: name, id, number of engines. */
export const users = async (args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, ["base-url"], [], 0);
  const remote = remoteOf(flags);
  if (remote !== undefined) {
    for await (const { name, id, engines } of remote.rows<{ name: string; id: string; engines: number }>(
      "users",
      "users",
    ))
      process.stdout.write(lineOf(name, id, engines));
    return 0;
  }
  return withDatabase(flags, "read", async (file) => {
    for (const { user, engines } of listUsers(file)) process.stdout.write(lineOf(user.name, user.id, engines));
    return 0;
  });
};
