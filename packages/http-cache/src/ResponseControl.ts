// Decides: which field of an answer steers a cache, and what it asks for (RFC 9111, 5.2.2; RFC 9213).
import { parseDictionary, type Item, type InnerList } from "structured-headers";
import { deltaSeconds, fieldNames, maxDeltaSeconds, parseDirectives, type Directives } from "./Directives.ts";
import type { CachePolicy } from "./Policy.ts";

/** What an answer asks of a cache. Times in seconds; undefined where the answer does not speak of it. */
export interface ResponseControl {
  /** The field that steers, in lower case: `cache-control`, or a targeted one, which also sets Expires aside. */
  readonly source: string;
  readonly noStore: boolean;
  /** `no-cache` without field names: validate before each use. */
  readonly noCache: boolean;
  /** `private` without field names. */
  readonly private: boolean;
  /** Fields that `no-cache` or `private` (in a shared cache) name: not to be stored. */
  readonly withheldFields: ReadonlyArray<string>;
  readonly public: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly maxAge: number | undefined;
  readonly sMaxage: number | undefined;
  readonly staleWhileRevalidate: number | undefined;
  readonly staleIfError: number | undefined;
}

/**
 * What an answer asks. The first of the policy's targeted fields that is present, not empty and valid counts alone
 * (RFC 9213, 2.2); without one it is Cache-Control.
 */
export const responseControl = (headers: Headers, policy: CachePolicy): ResponseControl => {
  for (const target of policy.targets) {
    const value = headers.get(target);
    const directives = value === null ? undefined : targetedDirectives(value);
    if (directives !== undefined) return controlOf(target, directives, policy.shared);
  }
  return controlOf("cache-control", parseDirectives(headers.get("cache-control")), policy.shared);
};

const controlOf = (source: string, directives: Directives, shared: boolean): ResponseControl => {
  const noCacheFields = fieldNames(directives, "no-cache");
  const privateFields = fieldNames(directives, "private");
  return {
    source,
    noStore: directives.has("no-store"),
    noCache: directives.has("no-cache") && noCacheFields.length === 0,
    private: directives.has("private") && privateFields.length === 0,
    withheldFields: shared ? [...noCacheFields, ...privateFields] : noCacheFields,
    public: directives.has("public"),
    mustRevalidate: directives.has("must-revalidate"),
    proxyRevalidate: directives.has("proxy-revalidate"),
    mustUnderstand: directives.has("must-understand"),
    maxAge: deltaSeconds(directives, "max-age"),
    sMaxage: deltaSeconds(directives, "s-maxage"),
    staleWhileRevalidate: deltaSeconds(directives, "stale-while-revalidate"),
    staleIfError: deltaSeconds(directives, "stale-if-error"),
  };
};

const deltas = new Set(["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]);
const flags = new Set(["no-store", "public", "must-revalidate", "proxy-revalidate", "must-understand", "immutable"]);

/**
 * The directives of a targeted field, a Dictionary of RFC 9651. Undefined, so that the field is ignored: it is empty,
 * does not parse, or gives a known directive a value of the wrong type (RFC 9213, 2.1). Parameters are ignored.
 */
export const targetedDirectives = (field: string): Directives | undefined => {
  let members: Map<string, Item | InnerList>;
  try {
    members = parseDictionary(field);
  } catch {
    return undefined;
  }
  if (members.size === 0) return undefined;
  const directives = new Map<string, string | true>();
  for (const [name, [value]] of members) {
    if (deltas.has(name)) {
      if (typeof value !== "number" || !Number.isInteger(value) || value < 0) return undefined;
      directives.set(name, `${Math.min(value, maxDeltaSeconds)}`);
    } else if (flags.has(name)) {
      if (typeof value !== "boolean") return undefined;
      if (value) directives.set(name, true);
    } else if (value !== false) {
      directives.set(name, typeof value === "string" ? value : true);
    }
  }
  return directives;
};
