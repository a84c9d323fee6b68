// bne diff.
import type { JsonObject } from "@bufbuild/protobuf";
import { encodeJson } from "@bytenite-engines/core/wire";
import { EngineSchema } from "@bytenite-engines/proto";
import { exitCodes } from "../ExitCode.ts";
import { isOn, positional, type Invocation } from "../Invocation.ts";
import { clientOf } from "../client/Client.ts";
import { withTagHints } from "../client/TagHints.ts";
import { pathsOf, redactedText } from "../output/EngineShape.ts";
import { openOutput } from "../output/Output.ts";
import { textAt, type Shape, plainValue, valueAt } from "../output/Shape.ts";

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

/** A field in which two engines differ. */
export interface Difference {
  readonly field: string;
  readonly left: JsonObject[string];
  readonly right: JsonObject[string];
}

/** What differs from version to version anyway. */
const incidental = new Set(["id", "name", "version", "revision", "link", "createdAt", "updatedAt", "deletedAt"]);
const secret = "platformConfig.token";

const paths = pathsOf(EngineSchema);
const leaves = paths.filter((path) => !paths.some((other) => other.startsWith(`${path}.`)));

/** The fields that differ, in the API's order. `showSecret`: whether the secret's values may be told. */
export const differencesOf = (
  left: JsonObject,
  right: JsonObject,
  everything: boolean,
  showSecret: boolean,
): ReadonlyArray<Difference> =>
  leaves
    .filter((field) => everything || !incidental.has(field))
    .map((field) => ({ field, left: valueAt(left, field) ?? null, right: valueAt(right, field) ?? null }))
    // An absent message and one without values say the same.
    .filter((pair) => said(pair.left) !== said(pair.right))
    .map((pair) => (pair.field === secret && !showSecret ? hidden(pair) : pair));

const said = (value: JsonObject[string]): string =>
  value === false || value === 0 || value === null ? "" : plainValue(value);

const hidden = ({ field, left, right }: Difference): Difference => ({
  field,
  left: said(left) === "" ? "" : redactedText,
  right: said(right) === "" ? "" : said(left) === "" ? redactedText : `${redactedText}, another one`,
});
