// bne activate, deactivate and delete: engines changed by their tags.
import { assertDeletion, UsageError } from "@bytenite-engines/registry/command";
import { parseTag } from "@bytenite-engines/core/wire";
import { isOn, type Invocation } from "../Invocation.ts";
import { deletedStatus, statusRecord, statusShape } from "../output/EngineShape.ts";
import { eachTag } from "./get.ts";
import { safeText } from "../terminal/SafeText.ts";

const changing =
  (name: "activate" | "deactivate", doing: string) =>
  (invocation: Invocation): Promise<number> =>
    eachTag(invocation, statusShape, `${doing} `, async (client, tag) =>
      statusRecord(await client[name](tag, { signal: invocation.signal })),
    );

export const activate = changing("activate", "activating");
export const deactivate = changing("deactivate", "deactivating");

export const remove = async (invocation: Invocation): Promise<number> => {
  const tags = invocation.arguments.positionals;
  const short = tags.find((tag) => parseTag(tag)?.minor === undefined);
  if (short !== undefined) {
    throw new UsageError(
      `bne delete takes whole tags, name@major.minor, not ${JSON.stringify(short.slice(0, 100))}`,
      "`bne versions NAME` shows the versions there are.",
    );
  }
  await assertConfirmed(invocation, tags);
  return eachTag(invocation, statusShape, "deleting ", async (client, tag) => {
    await client.delete(tag, { signal: invocation.signal });
    return statusRecord(deletedStatus(tag));
  });
};

const assertConfirmed = async (invocation: Invocation, tags: ReadonlyArray<string>): Promise<void> => {
  if (isOn(invocation, "yes")) return;
  const { host } = new URL(invocation.settings.text("baseUrl") ?? "");
  const what = `${tags.map(safeText).join(", ")} at ${host}`;
  await assertDeletion(`Delete ${what}, with code and history?`, invocation.signal);
};
