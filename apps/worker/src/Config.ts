// Settings of a deployment.
import { defaultBaseUrl } from "@bytenite-engines/core";
import { basePath } from "@bytenite-engines/core/wire";

/** The settings of wrangler.jsonc, checked; times in milliseconds. */
export type Config = ReturnType<typeof parseConfig>;

const minSecretLength = 16; // shortest secret, in characters: shorter ones can be guessed
const maxSeconds = 604_800; // longest time that may be configured, in seconds: a week
const maxMemoryMib = 48; // most memory for stored responses, in MiB; the runtime ends an isolate at 128 in all

/** The settings in a Worker's variables. Throws where they cannot work; the message names every problem. */
export const parseConfig = (variables: Readonly<Record<string, unknown>>) => {
  const problems = new Set<string>();
  const known = new Set<string>();
  const text = (name: string, isNumber = false): string | undefined => {
    known.add(name);
    const value = variables[name];
    if (value === undefined) return undefined;
    if (typeof value === "string") return value.trim() || undefined;
    if (isNumber) return JSON.stringify(value);
    // A number, a list or a boolean in wrangler.jsonc would otherwise pass for a setting that was left out.
    problems.add(`${name} must be text, in quotes`);
    return undefined;
  };
  /** A setting as `read` gives it; where that is undefined, `problem` is reported. */
  const parsed = <A>(raw: string | undefined, fallback: A, problem: string, read: (raw: string) => A | undefined) => {
    const found = raw === undefined ? fallback : read(raw);
    if (found === undefined) problems.add(problem);
    return found ?? fallback;
  };
  const whole = (name: string, fallback: number, least: number, most: number): number =>
    parsed(text(name, true), fallback, `${name} must be a whole number from ${least} to ${most}`, (digits) =>
      /^[0-9]+$/.test(digits) && Number(digits) >= least && Number(digits) <= most ? Number(digits) : undefined,
    );
  const seconds = (name: string, fallback: number): number => whole(`${name}_SECONDS`, fallback, 0, maxSeconds) * 1000;
  const lifetimes = (endpoint: string, fresh: number, staleWhileRevalidate: number, staleIfError: number) => {
    const freshMs = seconds(`${endpoint}_FRESH`, fresh);
    return {
      freshMs,
      staleWhileRevalidateMs: seconds(`${endpoint}_STALE_WHILE_REVALIDATE`, staleWhileRevalidate),
      staleIfErrorMs: seconds(`${endpoint}_STALE_IF_ERROR`, staleIfError),
      browserMs: seconds(`${endpoint}_BROWSER`, freshMs / 1000),
    };
  };
  const oneOf = <A extends string>(name: string, allowed: ReadonlyArray<A>, fallback: A): A =>
    parsed(text(name), fallback, `${name} must be one of ${allowed.join(", ")}`, (value) =>
      allowed.find((each) => each === value),
    );
  const secrets = (name: string, kind: string, isAllowed: RegExp): ReadonlyArray<string> => {
    const found = [name, `${name}_PREVIOUS`].map((variable) =>
      parsed(text(variable), "", `${variable} must have at least ${minSecretLength} characters${kind}`, (value) =>
        value.length < minSecretLength || !isAllowed.test(value) ? undefined : value,
      ),
    );
    if (text(name) === undefined && text(`${name}_PREVIOUS`) !== undefined)
      problems.add(`${name}_PREVIOUS needs ${name}`);
    return found.filter((value) => value !== "");
  };
  const list = (name: string, fallback: string, problem: string, isValid: (item: string) => boolean) => {
    const items = (text(name) ?? fallback).split(",").flatMap((item) => item.trim() || []);
    for (const item of items) if (!isValid(item)) problems.add(`${problem}, not ${JSON.stringify(item)}`);
    return items;
  };
  const attemptTimeoutMs = whole("ATTEMPT_TIMEOUT_MS", 3_000, 1, 60_000);
  const noUrl = "UPSTREAM_URL must be an http or https URL with no user info, query or fragment";
  const upstreamUrl = parsed(text("UPSTREAM_URL"), defaultBaseUrl, noUrl, baseUrlIn);
  // Two proxies in a row have different upstreams, so these tell them apart.
  const ownName = `${variables["UPSTREAM"] === undefined ? "" : "binding-"}${upstreamUrl}`.replaceAll(/[^\w.]+/g, "-");
  const noId = "DEPLOYMENT_ID must be up to 64 letters, digits, dots, hyphens and underscores";
  const noPath = "FORWARDED_PATHS must list paths such as /v1/auth, or be none without a comma";
  const noOrigin = "ALLOWED_ORIGINS must list origins such as https://app.example";
  const forwarded = text("FORWARDED_PATHS") === "none" ? [] : list("FORWARDED_PATHS", ownPaths, noPath, isPrefix);
  const config = {
    /** Without a trailing slash. */
    upstreamUrl,
    /** The name in Via and CDN-Loop. */
    deployment: parsed(text("DEPLOYMENT_ID"), ownName, noId, (id) => /^[\w.-]{1,64}$/.exec(id)?.[0]).toLowerCase(),
    forwardedPaths: forwarded.map((prefix) => prefix.replace(/\/$/, "")),
    /** Requests of forwarded paths without a token are cached by the rules of a shared cache. */
    cachesAnonymous: oneOf("CACHE_ANONYMOUS", ["on", "off"], "off") === "on",
    lifetimes: {
      list: lifetimes("LIST", 10, 30, 600),
      get: lifetimes("GET", 60, 120, 600),
      status: lifetimes("STATUS", 2, 2, 120),
    },
    negativeMs: seconds("NEGATIVE", 0),
    memoryBytes: whole("MEMORY_MIB", 24, 0, maxMemoryMib) * 1024 * 1024,
    memoryEntries: whole("MEMORY_ENTRIES", 10_000, 0, 1_000_000),
    edgeTier: oneOf("EDGE_TIER", ["on", "off"], "on") === "on",
    attemptTimeoutMs,
    deadlineMs: whole("DEADLINE_MS", Math.max(8_000, attemptTimeoutMs), attemptTimeoutMs, 120_000),
    allowedOrigins: list("ALLOWED_ORIGINS", "", noOrigin, isOrigin),
    logLevel: oneOf("LOG", ["all", "errors", "off"], "errors"),
    adminSecrets: secrets("ADMIN_SECRET", " of visible ASCII", /^[!-~]+$/),
    identitySecrets: secrets("IDENTITY_SECRET", "", /^/),
  };
  // Bindings are objects.
  for (const [name, value] of Object.entries(variables)) {
    if (!known.has(name) && typeof value !== "object") problems.add(`${name} is not a setting`);
  }
  if (problems.size === 0) return config;
  throw new Error(`The proxy's configuration cannot work: ${[...problems].join("; ")}.`);
};

const ownPaths = `${basePath}, /v1/auth`;

const isPrefix = (path: string): boolean =>
  /^\/(?:[\w.~-]+(?:\/[\w.~-]+)*\/?)?$/.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path);

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text;

const baseUrlIn = (text: string): string | undefined => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const { protocol = "", username, password, search, hash, origin, pathname } = url ?? ({} as Partial<URL>);
  const isBase = /^https?:$/.test(protocol) && [username, password, search, hash].join("") === "";
  return isBase ? `${origin}${pathname?.replace(/\/+$/, "")}` : undefined;
};
