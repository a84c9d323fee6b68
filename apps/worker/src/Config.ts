// Decides: how one deployment of the proxy behaves, from its variables; refuses what cannot work.
import { defaultBaseUrl } from "@bytenite-engines/core";
import type { ReadName } from "@bytenite-engines/core/wire";
import type { Lifetimes } from "@bytenite-engines/http-cache";

/** What is written to the log: every request, only what went wrong, or nothing. */
export type LogLevel = "all" | "errors" | "off";

/** The settings of a deployment. */
export interface Config {
  /** Base URL of the API behind the proxy, without a trailing slash. No request can change it. */
  readonly upstreamUrl: string;
  /** Tells this deployment from other proxies that a request passes, in lower case. The same in all isolates. */
  readonly deployment: string;
  /** What applies where the upstream says nothing about freshness. */
  readonly lifetimes: Readonly<Record<ReadName, Lifetimes>>;
  /** Bound of the answers kept in the memory of an isolate, in bytes. */
  readonly memoryBytes: number;
  /** Bound of their number. 0 switches this tier off. */
  readonly memoryEntries: number;
  /** Whether answers are also kept, encrypted, in the Cache API of the data centre. */
  readonly edgeTier: boolean;
  /** Whether the upstream is asked through the cached entrypoint, so that Workers Cache can answer. */
  readonly workersCache: boolean;
  /** Longest that one request to the upstream may take, in milliseconds. */
  readonly attemptTimeoutMs: number;
  /** Longest that all requests for one answer may take together, in milliseconds. */
  readonly deadlineMs: number;
  /** Origins of browsers that may read answers. */
  readonly allowedOrigins: ReadonlyArray<string>;
  readonly logLevel: LogLevel;
  /** Opens the admin endpoints; without it they do not exist. */
  readonly adminSecret: string | undefined;
}

/** Settings that cannot work; the message names every one of them. */
export class ConfigError extends Error {
  readonly _tag = "ConfigError";
  constructor(problems: ReadonlyArray<string>) {
    super(`The proxy's configuration cannot work: ${problems.join("; ")}.`);
    this.name = "ConfigError";
  }
}

/** The path under which the API is served, here and at the documented address. */
export const basePath = "/v1/dev";

/** Shortest admin secret, in characters: shorter ones can be guessed. */
const minSecretLength = 16;
/** Longest time that may be configured, in seconds: a week. */
const maxSeconds = 604_800;
/** Most memory an isolate may be given, in MiB; the runtime ends it at 128. */
const maxMemoryMib = 96;

const defaultSeconds: Readonly<Record<ReadName, readonly [number, number, number]>> = {
  list: [10, 30, 600],
  get: [60, 120, 600],
  status: [2, 2, 120],
};

/** The settings in a Worker's variables. Throws ConfigError that names every variable that is wrong. */
export const parseConfig = (variables: Readonly<Record<string, unknown>>): Config => {
  const problems: Array<string> = [];
  const text = (name: string): string | undefined => {
    const value = variables[name];
    // A number, a list or a switch of wrangler.jsonc would otherwise pass for a setting that was left out.
    if (value !== undefined && typeof value !== "string") problems.push(`${name} must be text, in quotes`);
    return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
  };
  const whole = (name: string, fallback: number, least: number, most: number): number => {
    const value = variables[name];
    if (value === undefined || value === "") return fallback;
    const number =
      typeof value === "number" || (typeof value === "string" && /^[0-9]+$/.test(value)) ? Number(value) : 0.5;
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    problems.push(`${name} must be a whole number from ${least} to ${most}`);
    return fallback;
  };
  const lifetimes = (endpoint: ReadName): Lifetimes => {
    const prefix = endpoint.toUpperCase();
    const [fresh, revalidate, onError] = defaultSeconds[endpoint];
    return {
      freshMs: whole(`${prefix}_FRESH_SECONDS`, fresh, 0, maxSeconds) * 1000,
      staleWhileRevalidateMs: whole(`${prefix}_STALE_WHILE_REVALIDATE_SECONDS`, revalidate, 0, maxSeconds) * 1000,
      staleIfErrorMs: whole(`${prefix}_STALE_IF_ERROR_SECONDS`, onError, 0, maxSeconds) * 1000,
    };
  };
  const oneOf = <A extends string>(name: string, allowed: ReadonlyArray<A>, fallback: A): A => {
    const value = text(name);
    if (value === undefined) return fallback;
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined) problems.push(`${name} must be one of ${allowed.join(", ")}`);
    return found ?? fallback;
  };
  const attemptTimeoutMs = whole("ATTEMPT_TIMEOUT_MS", 3_000, 1, 60_000);
  const upstreamUrl = upstreamUrlOf(text("UPSTREAM_URL") ?? defaultBaseUrl, problems);
  // Two proxies in a row have different upstreams. Behind a binding the URL does not tell which.
  const upstream = `${variables["UPSTREAM"] === undefined ? "" : "binding "}${upstreamUrl}`;
  const config: Config = {
    upstreamUrl,
    deployment: deploymentOf(text("DEPLOYMENT_ID"), upstream, problems),
    lifetimes: { list: lifetimes("list"), get: lifetimes("get"), status: lifetimes("status") },
    memoryBytes: whole("MEMORY_MIB", 24, 0, maxMemoryMib) * 1024 * 1024,
    memoryEntries: whole("MEMORY_ENTRIES", 10_000, 0, 1_000_000),
    edgeTier: oneOf("EDGE_TIER", ["on", "off"], "on") === "on",
    workersCache: oneOf("WORKERS_CACHE", ["on", "off"], "off") === "on",
    attemptTimeoutMs,
    deadlineMs: whole("DEADLINE_MS", Math.max(8_000, attemptTimeoutMs), attemptTimeoutMs, 120_000),
    allowedOrigins: originsOf(text("ALLOWED_ORIGINS"), problems),
    logLevel: oneOf("LOG", ["all", "errors", "off"], "errors"),
    adminSecret: secretOf(text("ADMIN_SECRET"), problems),
  };
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

const originsOf = (text: string | undefined, problems: Array<string>): ReadonlyArray<string> => {
  const origins = (text ?? "").split(",").flatMap((origin) => (origin.trim() === "" ? [] : [origin.trim()]));
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      problems.push(`ALLOWED_ORIGINS must list origins such as https://app.example, not ${JSON.stringify(origin)}`);
    }
  }
  return origins;
};

const secretOf = (text: string | undefined, problems: Array<string>): string | undefined => {
  if (text !== undefined && text.length < minSecretLength) {
    problems.push(`ADMIN_SECRET must have at least ${minSecretLength} characters`);
  }
  return text;
};
