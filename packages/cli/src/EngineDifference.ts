// Decides: in which fields two engines differ.
import type { JsonObject } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { plainValue, valueAt } from "./output/Column.ts";
import { pathsOf } from "./output/EngineShape.ts";
import { redactedText } from "./Redaction.ts";

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
