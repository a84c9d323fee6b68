// Decides: which fields belong to one connection only (RFC 9110, 7.6.1; RFC 9111, 3.1).
import { splitList } from "./Directives.ts";

const always: ReadonlyArray<string> = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // Meant for the next proxy only (RFC 9110, 11.7).
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
];

/** The names of the fields that end here: the fixed ones and those that Connection lists, lower case. */
export const hopByHopNames = (headers: Headers): ReadonlySet<string> =>
  new Set([...always, ...splitList(headers.get("connection") ?? "").map((name) => name.toLowerCase())]);

/** The fields of a message that travel on, or may be stored. */
export const endToEnd = (headers: Headers): Headers => {
  const names = hopByHopNames(headers);
  const kept = new Headers();
  for (const [name, value] of headers) if (!names.has(name)) kept.append(name, value);
  return kept;
};
