// Invalidation after unsafe requests (RFC 9111, 4.4) and of groups (RFC 9875).
import { parseList } from "structured-headers";

/** Safe methods (RFC 9110, 9.2.1). */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** Whether a method is unsafe or unknown, so that its success invalidates stored responses. */
export const isUnsafe = (method: string): boolean => !safeMethods.has(method);

/**
 * The URLs to invalidate after a response to an unsafe request: its own, as it is and normalized, and those of Location
 * and Content-Location where they have the same origin. Empty for an error status (RFC 9111, 4.4).
 */
export const invalidatedUrls = (url: string, status: number, headers: Headers): ReadonlyArray<string> => {
  if (status < 200 || status >= 400 || !URL.canParse(url)) return [];
  const target = new URL(url);
  const urls = new Set([url, target.href]);
  for (const name of ["location", "content-location"]) {
    const value = headers.get(name);
    if (value === null || !URL.canParse(value, target)) continue;
    const other = new URL(value, target);
    if (other.origin === target.origin) urls.add(other.href.replace(/#.*/, ""));
  }
  return [...urls];
};

/** Number of groups that are read from one field (RFC 9875, 2.1 demands at least 32). */
const maxGroups = 64;

/** The members of a List of Strings (RFC 9651); none where the field does not parse. */
const stringsOf = (field: string | null): ReadonlyArray<string> => {
  try {
    return parseList(field ?? "")
      .flatMap(([value]) => (typeof value === "string" ? [value] : []))
      .slice(0, maxGroups);
  } catch {
    return [];
  }
};

/** The groups of a response (RFC 9875, 2). */
export const cacheGroups = (headers: Headers): ReadonlyArray<string> => stringsOf(headers.get("cache-groups"));

/** The groups of this origin to invalidate after a response to an unsafe request (RFC 9875, 3). */
export const invalidatedGroups = (method: string, status: number, headers: Headers): ReadonlyArray<string> =>
  isUnsafe(method) && status >= 200 && status < 400 ? stringsOf(headers.get("cache-group-invalidation")) : [];
