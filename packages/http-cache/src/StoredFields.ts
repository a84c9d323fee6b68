// Header fields of stored responses (RFC 9111, 3.1 and 3.2).
import { formatHttpDate, parseHttpDate } from "./HttpDate.ts";

/** The fields with a Date: where it is missing or invalid, the time of receipt in milliseconds (RFC 9110, 6.6.1). */
export const withDate = (headers: Headers, receivedMs: number): Headers => {
  const dated = new Headers(headers);
  if (parseHttpDate(dated.get("date"), receivedMs) === undefined) dated.set("date", formatHttpDate(receivedMs));
  return dated;
};

/** The fields without those that `no-cache` or `private` names (RFC 9111, 3.1). */
export const withoutWithheld = (headers: Headers, withheld: ReadonlyArray<string>): Headers => {
  const kept = new Headers(headers);
  for (const name of withheld) kept.delete(name);
  return kept;
};

/** Fields of a 304 that never update stored ones: they describe the content of the message (RFC 9111, 3.2). */
const neverUpdated: ReadonlyArray<string> = ["content-length", "content-range"];

/** Fields that `fetch` applies to a body, which is then stored without them. */
export const defaultProcessedFields: ReadonlyArray<string> = ["content-encoding"];

/**
 * The stored fields, updated from a 304 or a response to HEAD (RFC 9111, 3.2). `update` holds end-to-end fields only.
 * `processed` names fields that were applied to the stored body and therefore stay.
 */
export const updateFields = (
  stored: Headers,
  update: Headers,
  processed: ReadonlyArray<string> = defaultProcessedFields,
): Headers => {
  const fields = new Headers(stored);
  // Age is of the stored response; the update has its own or none.
  fields.delete("age");
  const kept = new Set([...neverUpdated, ...processed.map((name) => name.toLowerCase())]);
  for (const [name] of update) if (!kept.has(name)) fields.delete(name);
  // Headers lists several Set-Cookie lines one by one.
  for (const [name, value] of update) if (!kept.has(name)) fields.append(name, value);
  return fields;
};
