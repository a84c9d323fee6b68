// Settings of a deployment.
import { defaultBaseUrl } from "@bytenite-engines/core";
import { basePath } from "@bytenite-engines/core/wire";

/** The settings of wrangler.jsonc, checked; times in milliseconds. */
export type Config = ReturnType<typeof parseConfig>;

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

/** The settings in a Worker's variables. Throws ConfigError. */
export const parseConfig = (variables: Readonly<Record<string, unknown>>) => {
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
    const isNumber = typeof value === "number" || (typeof value === "string" && /^[0-9]+$/.test(value));
    const number = isNumber ? Number(value) : Number.NaN;
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    problems.push(`${name} must be a whole number from ${least} to ${most}`);
    return fallback;
  };
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
  const oneOf = <A extends string>(name: string, allowed: ReadonlyArray<A>, fallback: A): A => {
    const value = text(name);
    const found = value === undefined ? fallback : allowed.find((candidate) => candidate === value);
    if (found === undefined) problems.push(`${name} must be one of ${allowed.join(", ")}`);
    return found ?? fallback;
  };
  const isOn = (name: string, fallback: "on" | "off"): boolean => oneOf(name, ["on", "off"], fallback) === "on";
  const secrets = (name: string): ReadonlyArray<string> => {
    const found = [name, `${name}_PREVIOUS`].flatMap((variable) => {
      const value = text(variable);
      if (value !== undefined && value.length < minSecretLength) {
        problems.push(`${variable} must have at least ${minSecretLength} characters`);
      }
      return value ?? [];
    });
    if (found.length > 0 && text(name) === undefined) problems.push(`${name}_PREVIOUS needs ${name}`);
    return found;
  };
  const list = (name: string, fallback: string): ReadonlyArray<string> =>
    (text(name) ?? fallback).split(",").flatMap((item) => item.trim() || []);
  const attemptTimeoutMs = whole("ATTEMPT_TIMEOUT_MS", 3_000, 1, 60_000);
  const upstreamUrl = upstreamUrlOf(text("UPSTREAM_URL") ?? defaultBaseUrl, problems);
  const config = {
    /** Without a trailing slash. */
    upstreamUrl,
    deployment: deploymentOf(
      text("DEPLOYMENT_ID"),
      `${variables["UPSTREAM"] === undefined ? "" : "binding-"}${upstreamUrl}`,
      problems,
    ),
    forwardedPaths: prefixesOf(list("FORWARDED_PATHS", `${basePath}, /v1/auth`), problems),
    /** Requests of forwarded paths without a token are cached by the rules of a shared cache. */
    cachesAnonymous: isOn("CACHE_ANONYMOUS", "off"),
    lifetimes: {
      list: lifetimes("LIST", 10, 30, 600),
      get: lifetimes("GET", 60, 120, 600),
      status: lifetimes("STATUS", 2, 2, 120),
    },
    negativeMs: seconds("NEGATIVE", 0),
    memoryBytes: whole("MEMORY_MIB", 24, 0, maxMemoryMib) * 1024 * 1024,
    memoryEntries: whole("MEMORY_ENTRIES", 10_000, 0, 1_000_000),
    edgeTier: isOn("EDGE_TIER", "on"),
    attemptTimeoutMs,
    deadlineMs: whole("DEADLINE_MS", Math.max(8_000, attemptTimeoutMs), attemptTimeoutMs, 120_000),
    allowedOrigins: originsOf(list("ALLOWED_ORIGINS", ""), problems),
    logLevel: oneOf("LOG", ["all", "errors", "off"], "errors"),
    adminSecrets: secrets("ADMIN_SECRET"),
    identitySecrets: secrets("IDENTITY_SECRET"),
  };
  // Bindings are objects.
  for (const [name, value] of Object.entries(variables)) {
    if (!known.has(name) && typeof value !== "object") problems.push(`${name} is not a setting`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
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

/** The name in Via and CDN-Loop: two proxies in a row have different upstreams, so these tell them apart. */
const deploymentOf = (id: string | undefined, upstream: string, problems: Array<string>): string => {
  if (id !== undefined && !/^[A-Za-z0-9._-]{1,64}$/.test(id)) {
    problems.push("DEPLOYMENT_ID must be up to 64 letters, digits, dots, hyphens and underscores");
  }
  return (id ?? upstream.replaceAll(/[^\w.]+/g, "-")).toLowerCase();
};

const prefixesOf = (prefixes: ReadonlyArray<string>, problems: Array<string>): ReadonlyArray<string> => {
  if (prefixes.join() === "none") return [];
  for (const prefix of prefixes) {
    if (!/^\/(?:[\w.~-]+(?:\/[\w.~-]+)*\/?)?$/.test(prefix) || /\/\.{1,2}(?:\/|$)/.test(prefix)) {
      problems.push(`FORWARDED_PATHS must list paths such as /v1/auth, or be none, not ${JSON.stringify(prefix)}`);
    }
  }
  return prefixes.map((prefix) => prefix.replace(/\/$/, ""));
};

const originsOf = (origins: ReadonlyArray<string>, problems: Array<string>): ReadonlyArray<string> => {
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      problems.push(`ALLOWED_ORIGINS must list origins such as https://app.example, not ${JSON.stringify(origin)}`);
    }
  }
  return origins;
};
