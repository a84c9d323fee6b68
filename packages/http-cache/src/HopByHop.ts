// Hop-by-hop fields (RFC 9110, 7.6.1).
import { splitList } from "./CacheControl.ts";

const always: ReadonlyArray<string> = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // For one proxy only (RFC 9110, 11.7).
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
];

/** The names of hop-by-hop fields, lower case: the known ones and those that Connection lists. */
export const hopByHopNames = (headers: Headers): ReadonlySet<string> => {
  const listed = splitList(headers.get("connection") ?? "").map((name) => name.toLowerCase());
  return new Set([...always, ...listed.filter((name) => !neverListed.test(name))]);
};

/**
 * Fields that are for all recipients and therefore no connection options (RFC 9110, 7.6.1): a Connection that lists them
 * must not take the directives away from a cache.
 */
const neverListed = /^(?:age|date|expires|pragma|vary|(?:.*-)?cache-control)$/;

/** The end-to-end fields of a message: those that are forwarded and may be stored (RFC 9111, 3.1). */
export const endToEnd = (headers: Headers): Headers => {
  const names = hopByHopNames(headers);
  const kept = new Headers();
  for (const [name, value] of headers) if (!names.has(name)) kept.append(name, value);
  return kept;
};
