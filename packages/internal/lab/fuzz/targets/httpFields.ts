// Fuzz target: structured fields, Vary, Range, entity tags, dates.
import {
  cacheGroups,
  cacheStatus,
  formatHttpDate,
  invalidatedGroups,
  invalidatedUrls,
  matchesEntityTag,
  parseContentRange,
  parseHttpDate,
  parseRange,
  selectingFields,
  sliceOf,
  varyNames,
  withVary,
} from "@bytenite-engines/http-cache";
import { headerOf, latin1Of, must, mustEqual, type Target } from "../Target.ts";

const url = "https://api.example/v1/dev/engines";
const length = 1_000;

export const fuzz: Target = (data) => {
  const field = headerOf(latin1Of(data));
  if (field === undefined) return;
  const headers = new Headers({
    "cache-groups": field,
    "cache-group-invalidation": field,
    location: field,
    "content-location": field,
    vary: field,
  });
  for (const groups of [cacheGroups(headers), invalidatedGroups("POST", 200, headers)]) {
    must(
      groups.length <= 64 && groups.every((group) => typeof group === "string"),
      "groups are not a short list of texts",
    );
  }
  for (const other of invalidatedUrls(url, 200, headers)) {
    must(new URL(other).origin === new URL(url).origin, "another origin is invalidated");
  }
  const names = varyNames(headers);
  const extended = varyNames(new Headers({ vary: withVary(field, ["accept"]) }));
  must(extended.includes("accept") || names.includes("*"), "Vary loses a name");
  if (!names.includes("*")) selectingFields(headers, new Headers());
  matchesEntityTag(field, '"a"');
  must(/^[ -~]*$/.test(cacheStatus("edge", { hit: true, detail: field })), "Cache-Status cannot be sent");
  rangeHolds(field);
  const moment = parseHttpDate(field, 0);
  must(moment === undefined || Number.isFinite(moment), "a date is not a moment");
  if (moment !== undefined && moment >= 0) mustEqual(parseHttpDate(formatHttpDate(moment), 0), moment, "a date moves");
};

const rangeHolds = (field: string): void => {
  const range = parseRange(field);
  const stored = parseContentRange(field) ?? { first: 0, total: length };
  if (range === undefined) return;
  const slice = sliceOf(range, stored, length);
  if (slice === undefined || slice === "unsatisfiable") return;
  must(slice.start >= 0 && slice.start < slice.end && slice.end <= length, "a slice lies outside of what is stored");
  must(parseContentRange(slice.contentRange)?.first === stored.first + slice.start, "Content-Range names another part");
};
