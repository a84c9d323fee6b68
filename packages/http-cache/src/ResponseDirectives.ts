// Response directives (RFC 9111, 5.2.2), from Cache-Control or a targeted field.
import { deltaSeconds, fieldNames, isDeltaSeconds, parseDirectives, type Directives } from "./CacheControl.ts";
import { storesPrivate, type CacheOptions } from "./CacheOptions.ts";
import { targetedDirectives } from "./TargetedFields.ts";

/** The directives of a response that a cache obeys. Times in seconds; undefined where the directive is absent. */
export interface ResponseDirectives {
  /** The field they come from, in lower case. A targeted field also replaces Expires (RFC 9213, 2.2). */
  readonly source: string;
  readonly noStore: boolean;
  /** Unqualified `no-cache`: validate before each use. */
  readonly noCache: boolean;
  /** Unqualified `private`. */
  readonly private: boolean;
  /** Fields that a qualified `no-cache`, or in a shared cache `private`, names: they are not stored. */
  readonly withheldFields: ReadonlyArray<string>;
  readonly public: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly maxAge: number | undefined;
  readonly sMaxage: number | undefined;
  readonly staleWhileRevalidate: number | undefined;
  readonly staleIfError: number | undefined;
  /** Whether a shared cache may store the response although the request has Authorization (RFC 9111, 3.5). */
  readonly allowsAuthorization: boolean;
}

/**
 * The directives of a response: those of the first targeted field of the options that is present and valid
 * (RFC 9213, 2.2), otherwise those of Cache-Control.
 */
export const responseDirectives = (headers: Headers, options: CacheOptions): ResponseDirectives => {
  for (const field of options.targetedFields ?? []) {
    const value = headers.get(field);
    const directives = value === null ? undefined : targetedDirectives(value);
    if (directives !== undefined) return named(field.toLowerCase(), directives, storesPrivate(options));
  }
  return named("cache-control", parseDirectives(headers.get("cache-control")), storesPrivate(options));
};

const named = (source: string, directives: Directives, isForOneUser: boolean): ResponseDirectives => {
  const noCacheFields = fieldNames(directives, "no-cache");
  const privateFields = fieldNames(directives, "private");
  // What a directive permits, it permits only where it is well-formed.
  const isPublic = directives.get("public") === true;
  return {
    source,
    noStore: directives.has("no-store"),
    noCache: directives.has("no-cache") && noCacheFields === undefined,
    private: directives.has("private") && privateFields === undefined,
    withheldFields: [...(noCacheFields ?? []), ...((!isForOneUser && privateFields) || [])],
    public: isPublic,
    mustRevalidate: directives.has("must-revalidate"),
    proxyRevalidate: directives.has("proxy-revalidate"),
    mustUnderstand: directives.get("must-understand") === true,
    maxAge: deltaSeconds(directives, "max-age"),
    sMaxage: deltaSeconds(directives, "s-maxage"),
    staleWhileRevalidate: deltaSeconds(directives, "stale-while-revalidate"),
    staleIfError: deltaSeconds(directives, "stale-if-error"),
    allowsAuthorization:
      isPublic || directives.get("must-revalidate") === true || isDeltaSeconds(directives.get("s-maxage")),
  };
};
