// bne diff: a unified diff of two engines.
import { structuredPatch } from "diff";
import type { JsonObject } from "@bufbuild/protobuf";
import { toJson } from "@bytenite-engines/core/json";
import { exitCodes } from "../Errors.ts";
import { isOn, positional, type Invocation } from "../Invocation.ts";
import { clientOf, withTagHints } from "../client/Client.ts";
import { enginePaths, redactedText } from "../output/EngineShape.ts";
import { formOf, openOutput, outputOptions, pageOutput } from "../output/Output.ts";
import { textAt, type Shape, plainValue, valueAt } from "../output/Shape.ts";
import { safeText } from "../terminal/SafeText.ts";
import { styled, type Style } from "../terminal/Terminal.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { signal, notes, stdout, terminal } = invocation;
  const tags = [positional(invocation, 0), positional(invocation, 1)] as const;
  let equal: boolean;
  const shape: Shape = {
    columns: [
      { path: "field", kind: "text" },
      { path: "left", kind: "text" },
      { path: "right", kind: "text" },
    ],
    known: ["field", "left", "right"],
    nameOf: (record) => textAt(record, "field"),
    document: { key: "differences", rest: () => ({ equal, left: tags[0], right: tags[1] }) },
  };
  const options = outputOptions(invocation);
  const isText = formOf(options, shape) === "table" && options.columns === undefined;
  if (isText) pageOutput(invocation);
  const writer = isText ? undefined : await openOutput(invocation, shape);
  const client = await clientOf(invocation);
  notes.progress(`comparing ${tags.join(" and ")}`);
  const [left = {}, right = {}] = await Promise.all(
    tags.map(async (tag) => toJson(await withTagHints(invocation, client, tag, () => client.get(tag, { signal })))),
  );
  notes.progress(undefined);
  const everything = isOn(invocation, "everything");
  const differences = differencesOf(left, right, everything, isOn(invocation, "show-secrets"));
  equal = differences.length === 0;
  if (writer === undefined) {
    if (!equal) await stdout.write(unified(tags, left, right, differences, everything, terminal.colour));
  } else {
    if (!equal) await writer.write(differences.map((difference) => ({ json: { ...difference } })));
    await writer.end();
  }
  if (equal && terminal.isTTY) notes.note(`${tags.join(" and ")} agree.`);
  return equal ? exitCodes.ok : exitCodes.notMet;
};

/** Context lines, as of `diff -u`. */
const contextLines = 3;

const styles: Readonly<Record<string, Style>> = { "-": "bad", "+": "good" };

/** A unified diff of two engines, each as a line per field. */
const unified = (
  [leftTag, rightTag]: readonly [string, string],
  left: JsonObject,
  right: JsonObject,
  differences: ReadonlyArray<Difference>,
  everything: boolean,
  colour: boolean,
): string => {
  const differing = new Map(differences.map((difference) => [difference.field, difference]));
  const document = (engine: JsonObject, side: "left" | "right"): string =>
    leaves
      .filter((field) => everything || !incidental.has(field))
      .flatMap((field) => {
        const value = differing.get(field)?.[side] ?? valueAt(engine, field) ?? null;
        return linesOf(field, field === secret && !differing.has(field) && said(value) !== "" ? redactedText : value);
      })
      .map((line) => `${line}\n`)
      .join("");
  const { hunks } = structuredPatch("", "", document(left, "left"), document(right, "right"), "", "", {
    context: contextLines,
  });
  const lines = [
    styled(`--- ${safeText(leftTag)}`, "heading", colour),
    styled(`+++ ${safeText(rightTag)}`, "heading", colour),
    ...hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) =>
      [styled(`@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`, "faint", colour)].concat(
        lines.map((line) => styled(line, styles[line[0] ?? ""], colour)),
      ),
    ),
  ];
  return lines.map((line) => `${line}\n`).join("");
};

/** A field as lines: one, or, for text of several lines, one for each of them. A field without a value has none. */
const linesOf = (field: string, value: JsonObject[string]): ReadonlyArray<string> => {
  const text = said(value);
  if (text === "") return [];
  const lines = text.split("\n");
  return lines.length === 1
    ? [`${field}: ${safeText(text)}`]
    : [`${field}:`, ...lines.map((line) => `  ${safeText(line)}`)];
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

const leaves = enginePaths.filter((path) => !enginePaths.some((other) => other.startsWith(`${path}.`)));

/** The fields that differ, in the API's order. `showSecret`: whether the secret's values may be printed. */
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
