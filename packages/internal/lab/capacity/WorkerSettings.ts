// Settings of the proxy, read from wrangler.jsonc.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readNames, type ReadName } from "@bytenite-engines/core/wire";
import {
  freshnessOf,
  responseDirectives,
  type CacheOptions,
  type Freshness,
  type Lifetimes,
} from "@bytenite-engines/http-cache";
import { parse } from "jsonc-parser";

/** Settings of storage size and lifetimes. */
export interface WorkerSettings {
  readonly lifetimes: Readonly<Record<ReadName, Lifetimes>>;
  /** Bounds of the answers in the memory of one isolate. */
  readonly memoryBytes: number;
  readonly memoryEntries: number;
}

const worker = new URL("../../../../apps/worker/", import.meta.url);

/** A number that a source of apps/worker names as a constant. Throws where it is missing, as a copy would become outdated. */
export const constantOf = (source: string, name: string): number => {
  const text = readFileSync(new URL(`src/${source}`, worker), "utf8");
  const value = new RegExp(`^(?:export )?const ${name} = ([0-9_]+);(?: //.*)?$`, "m").exec(text)?.[1];
  if (value === undefined) throw new Error(`apps/worker/src/${source} has no constant ${name}`);
  return Number(value.replaceAll("_", ""));
};

const file = fileURLToPath(new URL("wrangler.jsonc", worker));

/** The settings in variables of the Worker. Throws where one is missing: it has to be looked up, not guessed. */
export const settingsIn = (variables: Readonly<Record<string, string>>): WorkerSettings => {
  const number = (name: string): number => {
    const value = Number(variables[name] ?? Number.NaN);
    if (!Number.isFinite(value)) throw new Error(`the proxy has no setting ${name}`);
    return value;
  };
  const lifetimes = (endpoint: ReadName): Lifetimes => {
    const ms = (what: string): number => number(`${endpoint.toUpperCase()}_${what}_SECONDS`) * 1_000;
    return {
      freshMs: ms("FRESH"),
      staleWhileRevalidateMs: ms("STALE_WHILE_REVALIDATE"),
      staleIfErrorMs: ms("STALE_IF_ERROR"),
    };
  };
  return {
    lifetimes: byEndpoint(lifetimes),
    memoryBytes: number("MEMORY_MIB") * 1024 * 1024,
    memoryEntries: number("MEMORY_ENTRIES"),
  };
};

/** A value for each endpoint. */
export const byEndpoint = <A>(valueOf: (endpoint: ReadName) => A): Record<ReadName, A> =>
  Object.fromEntries(readNames.map((endpoint) => [endpoint, valueOf(endpoint)])) as Record<ReadName, A>;

/** The same settings with answers that are fresh, and stale while they are validated, for so many times as long. */
export const livingLonger = (settings: WorkerSettings, times: number): WorkerSettings => {
  const longer = ({ freshMs, staleWhileRevalidateMs, staleIfErrorMs }: Lifetimes): Lifetimes => ({
    freshMs: freshMs * times,
    staleWhileRevalidateMs: staleWhileRevalidateMs * times,
    staleIfErrorMs,
  });
  return { ...settings, lifetimes: byEndpoint((endpoint) => longer(settings.lifetimes[endpoint])) };
};

/** The variables of the deployment. */
export const deployedVariables = (): Readonly<Record<string, string>> =>
  (parse(readFileSync(file, "utf8")) as { readonly vars: Readonly<Record<string, string>> }).vars;

/** The freshness of an answer of the registry, which says nothing about it, fetched at 0 in so many milliseconds. */
export const freshnessAtZero = ({ lifetimes }: WorkerSettings, endpoint: ReadName, latencyMs: number): Freshness => {
  const policy: CacheOptions = { shared: false, targetedFields: [], defaults: lifetimes[endpoint] };
  const headers = new Headers();
  const times = { requestTimeMs: 0, responseTimeMs: latencyMs };
  return freshnessOf(200, headers, responseDirectives(headers, policy), times, policy);
};
