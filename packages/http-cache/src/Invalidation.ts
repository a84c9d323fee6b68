// Decides: which stored answers an unsafe request makes untrue (RFC 9111, 4.4; RFC 9875).
import { parseList } from "structured-headers";

/** Methods that are known to be safe (RFC 9110, 9.2.1); an unknown one may change anything. */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** Whether a request with this method can change what is stored. */
export const isUnsafe = (method: string): boolean => !safeMethods.has(method);

/**
 * The URLs to invalidate after an answer to an unsafe request: the request's own, and those of Location and
 * Content-Location where they have the same origin. Empty when the request failed: it changed nothing.
 */
export const invalidatedUrls = (url: string, status: number, headers: Headers): ReadonlyArray<string> => {
  if (status < 200 || status >= 400) return [];
  const target = new URL(url);
  const urls = new Set([target.href]);
  for (const name of ["location", "content-location"]) {
    const value = headers.get(name);
    if (value === null || !URL.canParse(value, target.href)) continue;
    const other = new URL(value, target.href);
    other.hash = "";
    if (other.origin === target.origin) urls.add(other.href);
  }
  return [...urls];
};

/** Most groups that are read of one answer (RFC 9875, 2.1 asks for at least 32). */
const maxGroups = 64;

/** The names in a list of strings such as Cache-Groups or Cache-Group-Invalidation; none when it is no such list. */
const stringsOf = (field: string | null): ReadonlyArray<string> => {
  try {
    return parseList(field ?? "")
      .flatMap(([value]) => (typeof value === "string" ? [value] : []))
      .slice(0, maxGroups);
  } catch {
    return [];
  }
};

/** The groups that a stored answer belongs to (RFC 9875, 2). */
export const cacheGroups = (headers: Headers): ReadonlyArray<string> => stringsOf(headers.get("cache-groups"));

/** The groups of this origin to invalidate after an answer to an unsafe request (RFC 9875, 3). */
export const invalidatedGroups = (method: string, status: number, headers: Headers): ReadonlyArray<string> =>
  isUnsafe(method) && status >= 200 && status < 400 ? stringsOf(headers.get("cache-group-invalidation")) : [];
