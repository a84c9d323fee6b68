// Settings of a deployment.
import { defaultBaseUrl } from "@bytenite-engines/core";
import { basePath, type ReadName } from "@bytenite-engines/core/wire";
import type { Lifetimes } from "@bytenite-engines/http-cache";

export type LogLevel = "all" | "errors" | "off";

/** Lifetimes of responses that state none. */
export interface EndpointLifetimes extends Lifetimes {
  /** `max-age` for clients, in milliseconds. */
  readonly browserMs: number;
}

export interface Config {
  /** Base URL of the upstream API, without a trailing slash. No request can change it. */
  readonly upstreamUrl: string;
  /** Name of this deployment in Via and CDN-Loop, in lower case. The same in all isolates. */
  readonly deployment: string;
  /** Other paths that are proxied: prefixes without a trailing slash; "" is all paths. */
  readonly forwardedPaths: ReadonlyArray<string>;
  /** Whether requests of forwarded paths without a token are cached, by the rules of a shared cache. */
  readonly cachesAnonymous: boolean;
  readonly lifetimes: Readonly<Record<ReadName, EndpointLifetimes>>;
  /** How long a 404 that states no lifetime is stored, in milliseconds. 0: not at all. */
  readonly negativeMs: number;
  /** Bound of the stored responses in the memory of an isolate, in bytes. */
  readonly memoryBytes: number;
  /** Bound of their number. 0 switches this tier off. */
  readonly memoryEntries: number;
  /** Whether responses are also stored, encrypted, in the Cache API of the data centre. */
  readonly edgeTier: boolean;
  /** Longest that one request to the upstream may take, in milliseconds. */
  readonly attemptTimeoutMs: number;
  /** Longest that all requests for one response may take together, in milliseconds. */
  readonly deadlineMs: number;
  /** Origins of web pages that may read responses. */
  readonly allowedOrigins: ReadonlyArray<string>;
  readonly logLevel: LogLevel;
  /** Secrets that open the admin endpoints, which do not exist without one. Two during a rotation. */
  readonly adminSecrets: ReadonlyArray<string>;
  /** Secrets in the derivation of identities: the current one, then the previous one. Empty: none. */
  readonly identitySecrets: ReadonlyArray<string>;
}

/** Settings that cannot work; the message names every one of them. */
export class ConfigError extends Error {
  readonly _tag = "ConfigError";
  constructor(problems: ReadonlyArray<string>) {
    super(`The proxy's configuration cannot work: ${problems.join("; ")}.`);
    this.name = "ConfigError";
  }
}

/** Shortest secret, in characters: shorter ones can be guessed. */
const minSecretLength = 16;
/** Longest time that may be configured, in seconds: a week. */
const maxSeconds = 604_800;
/** Most memory for stored responses, in MiB; the runtime ends an isolate at 128 in all. */
const maxMemoryMib = 48;

const defaultSeconds: Readonly<Record<ReadName, readonly [fresh: number, revalidate: number, onError: number]>> = {
  list: [10, 30, 600],
  get: [60, 120, 600],
  status: [2, 2, 120],
};

/** The settings in a Worker's variables. Throws ConfigError. */
export const parseConfig = (variables: Readonly<Record<string, unknown>>): Config => {
  const problems: Array<string> = [];
  const known = new Set<string>();
  const valueOf = (name: string): unknown => {
    known.add(name);
    const value = variables[name];
    return typeof value === "string" ? value.trim() || undefined : value;
  };
  const text = (name: string): string | undefined => {
    const value = valueOf(name);
    // A number, a list or a boolean in wrangler.jsonc would otherwise pass for a setting that was left out.
    if (value !== undefined && typeof value !== "string") problems.push(`${name} must be text, in quotes`);
    return typeof value === "string" ? value : undefined;
  };
  const whole = (name: string, fallback: number, least: number, most: number): number => {
    const value = valueOf(name);
    if (value === undefined) return fallback;
    const number =
      typeof value === "number" || (typeof value === "string" && /^[0-9]+$/.test(value)) ? Number(value) : 0.5;
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    problems.push(`${name} must be a whole number from ${least} to ${most}`);
    return fallback;
  };
  const seconds = (name: string, fallback: number): number => whole(`${name}_SECONDS`, fallback, 0, maxSeconds) * 1000;
  const lifetimes = (endpoint: ReadName): EndpointLifetimes => {
    const prefix = endpoint.toUpperCase();
    const [fresh, revalidate, onError] = defaultSeconds[endpoint];
    const freshMs = seconds(`${prefix}_FRESH`, fresh);
    return {
      freshMs,
      staleWhileRevalidateMs: seconds(`${prefix}_STALE_WHILE_REVALIDATE`, revalidate),
      staleIfErrorMs: seconds(`${prefix}_STALE_IF_ERROR`, onError),
      browserMs: seconds(`${prefix}_BROWSER`, freshMs / 1000),
    };
  };
  const oneOf = <A extends string>(name: string, allowed: ReadonlyArray<A>, fallback: A): A => {
    const value = text(name);
    if (value === undefined) return fallback;
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) problems.push(`${name} must be one of ${allowed.join(", ")}`);
    return found ?? fallback;
  };
  const isOn = (name: string, fallback: "on" | "off"): boolean => oneOf(name, ["on", "off"], fallback) === "on";
  const secrets = (name: string): ReadonlyArray<string> => {
    const current = text(name);
    const previous = text(`${name}_PREVIOUS`);
    for (const [variable, value] of [
      [name, current],
      [`${name}_PREVIOUS`, previous],
    ]) {
      if (value !== undefined && value.length < minSecretLength) {
        problems.push(`${variable} must have at least ${minSecretLength} characters`);
      }
    }
    if (current === undefined && previous !== undefined) problems.push(`${name}_PREVIOUS needs ${name}`);
    return [current, previous].filter((secret) => secret !== undefined);
  };
  const attemptTimeoutMs = whole("ATTEMPT_TIMEOUT_MS", 3_000, 1, 60_000);
  const upstreamUrl = upstreamUrlOf(text("UPSTREAM_URL") ?? defaultBaseUrl, problems);
  // Two proxies in a row have different upstreams. Behind a binding the URL does not identify it.
  const upstream = `${variables["UPSTREAM"] === undefined ? "" : "binding "}${upstreamUrl}`;
  const config: Config = {
    upstreamUrl,
    deployment: deploymentOf(text("DEPLOYMENT_ID"), upstream, problems),
    forwardedPaths: prefixesOf(text("FORWARDED_PATHS") ?? `${basePath}, /v1/auth`, problems),
    cachesAnonymous: isOn("CACHE_ANONYMOUS", "off"),
    lifetimes: { list: lifetimes("list"), get: lifetimes("get"), status: lifetimes("status") },
    negativeMs: seconds("NEGATIVE", 0),
    memoryBytes: whole("MEMORY_MIB", 24, 0, maxMemoryMib) * 1024 * 1024,
    memoryEntries: whole("MEMORY_ENTRIES", 10_000, 0, 1_000_000),
    edgeTier: isOn("EDGE_TIER", "on"),
    attemptTimeoutMs,
    deadlineMs: whole("DEADLINE_MS", Math.max(8_000, attemptTimeoutMs), attemptTimeoutMs, 120_000),
    allowedOrigins: originsOf(text("ALLOWED_ORIGINS"), problems),
    logLevel: oneOf("LOG", ["all", "errors", "off"], "errors"),
    adminSecrets: secrets("ADMIN_SECRET"),
    identitySecrets: secrets("IDENTITY_SECRET"),
  };
  for (const name of Object.keys(variables)) {
    const isLike = /_(?:SECONDS|MS|MIB|ENTRIES)$/.test(name) || [...known].some((other) => isOneSlip(name, other));
    if (!known.has(name) && isLike) problems.push(`${name} is not a setting`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
};

/** Whether one text is another one with a character changed, added, left out, or exchanged with the next. */
const isOneSlip = (one: string, other: string): boolean => {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const rest = one.slice(at);
  const otherRest = other.slice(at);
  const exchanged = `${rest[1] ?? ""}${rest[0] ?? ""}${rest.slice(2)}`;
  return (
    rest.slice(1) === otherRest.slice(1) ||
    rest === otherRest.slice(1) ||
    rest.slice(1) === otherRest ||
    exchanged === otherRest
  );
};

const upstreamUrlOf = (text: string, problems: Array<string>): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    problems.push("UPSTREAM_URL must be an http or https URL");
    return "";
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    problems.push("UPSTREAM_URL must have no user info, query or fragment");
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
};

const deploymentOf = (id: string | undefined, upstream: string, problems: Array<string>): string => {
  if (id !== undefined && !/^[A-Za-z0-9._-]{1,64}$/.test(id)) {
    problems.push("DEPLOYMENT_ID must be up to 64 letters, digits, dots, hyphens and underscores");
  }
  return (id ?? hashOf(upstream)).toLowerCase();
};

/** FNV-1a over 64 bits: it has to differ, not to hide anything. */
const hashOf = (text: string): string => {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
};

const listOf = (text: string | undefined): ReadonlyArray<string> =>
  (text ?? "").split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()]));

const prefixesOf = (text: string, problems: Array<string>): ReadonlyArray<string> => {
  if (text === "none") return [];
  return listOf(text).map((prefix) => {
    if (!/^\/(?:[\w.~-]+(?:\/[\w.~-]+)*\/?)?$/.test(prefix) || /\/\.{1,2}(?:\/|$)/.test(prefix)) {
      problems.push(`FORWARDED_PATHS must list paths such as /v1/auth, or be none, not ${JSON.stringify(prefix)}`);
    }
    return prefix.replace(/\/$/, "");
  });
};

const originsOf = (text: string | undefined, problems: Array<string>): ReadonlyArray<string> => {
  const origins = listOf(text);
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      problems.push(`ALLOWED_ORIGINS must list origins such as https://app.example, not ${JSON.stringify(origin)}`);
    }
  }
  return origins;
};
