// Compares two engines field by field.
import { textAt } from "../output/Column.ts";
import { encodeJson } from "@bytenite-engines/core/wire";
import { EngineSchema } from "@bytenite-engines/proto";
import { clientOf } from "../Client.ts";
import { differencesOf } from "../EngineDifference.ts";
import { exitCodes } from "../ExitCode.ts";
import { isOn, positional, type Invocation } from "../Invocation.ts";
import { openOutput } from "../output/OpenOutput.ts";
import type { Shape } from "../output/Shape.ts";
import { withTagHints } from "../TagHints.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { signal, notes } = invocation;
  const tags = [positional(invocation, 0), positional(invocation, 1)] as const;
  let equal = true;
  const shape: Shape = {
    columns: [
      { path: "field", kind: "text" },
      { path: "left", kind: "text", leastCells: 8 },
      { path: "right", kind: "text", leastCells: 8 },
    ],
    known: ["field", "left", "right"],
    nameOf: (record) => textAt(record, "field"),
    document: { key: "differences", rest: () => ({ equal, left: tags[0], right: tags[1] }) },
  };
  const writer = await openOutput(invocation, shape);
  const client = await clientOf(invocation);
  notes.progress(`comparing ${tags.join(" and ")}`);
  const [left, right] = await Promise.all(
    tags.map(async (tag) =>
      encodeJson(EngineSchema, await withTagHints(client, tag, signal, () => client.get(tag, { signal }))),
    ),
  );
  notes.progress(undefined);
  const differences = differencesOf(
    left ?? {},
    right ?? {},
    isOn(invocation, "everything"),
    isOn(invocation, "show-secrets"),
  );
  equal = differences.length === 0;
  if (!equal) await writer.write(differences.map((difference) => ({ json: { ...difference } })));
  await writer.end();
  if (equal && invocation.terminal.isTTY) notes.note(`${tags.join(" and ")} agree.`);
  return equal ? exitCodes.ok : exitCodes.notMet;
};
