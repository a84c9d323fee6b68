// Registry for tests: in memory, with faults and recorded requests.
import type { EndpointName } from "@bytenite-engines/core/wire";
import { startRegistryServer } from "./node/Registry.ts";
import { addCredential, ensureUser, userOf } from "./manage/Accounts.ts";
import { change, publishAll, type Change, type EngineInit, type Published } from "./manage/Engines.ts";
import { exportSql } from "./manage/Export.ts";
import { trialUsers } from "./manage/Trial.ts";
import { makeFaults, type Faults } from "./faults/Faults.ts";
import type { FaultRule } from "./faults/FaultRule.ts";
import type { SerializerOptions } from "./api/Serializer.ts";
import type { RateLimitOptions } from "./api/RateLimit.ts";
import type { RecordedRequest } from "./node/Recorder.ts";

export type { EndpointName, RateLimitOptions, Change, EngineInit, Faults, FaultRule, Published, RecordedRequest };
export type { Fault, FaultScope, FaultyBody, Hint, Latency } from "./faults/FaultRule.ts";
export type { FaultState } from "./faults/Faults.ts";
export type { FieldNumbers } from "./api/FieldNumbers.ts";

/** A user of a test registry. */
export interface TestUser {
  readonly name: string;
  /** Opens the API, with scope `publish`. Default: `local-` and the name. */
  readonly token?: string;
  /** Opens `/v1/auth/access_token`. Default: none. */
  readonly apiKey?: string;
  readonly engines?: ReadonlyArray<EngineInit>;
}

/** How a test registry is started. All of it is optional. */
export interface TestRegistryOptions extends SerializerOptions {
  /** Who there is and what they own. Default: `alice` with the public sample engines, `bob` with others. */
  readonly users?: ReadonlyArray<TestUser>;
  /** Faults from the start. */
  readonly faults?: ReadonlyArray<FaultRule>;
  /** Seed of all chance in faults. Default 1. */
  readonly seed?: number;
  /** Calls a user may make. Default: no limit. */
  readonly rateLimit?: RateLimitOptions;
  /** A SQLite file, for tests that start again on the same data. Default: in memory. */
  readonly database?: string;
  /** Default 0: a free one. */
  readonly port?: number;
}

/** A running test registry. Ends with `stop()`, or at the end of a block by `await using`. */
export interface TestRegistry extends AsyncDisposable {
  /** Base URL of the API, with `/v1/dev`. */
  readonly url: string;
  /** The URL without path. */
  readonly origin: string;
  /** Tokens by user name. */
  readonly tokens: Readonly<Record<string, string>>;
  /** Requests as they arrived, oldest first. Set `length` to 0 to forget them. */
  readonly requests: Array<RecordedRequest>;
  /** What goes wrong; can be changed at any time. */
  readonly faults: Faults;
  /** Publishes engines of a user, as an import would: all or none; an existing version is overwritten. */
  readonly publish: (user: string, ...engines: ReadonlyArray<EngineInit>) => Promise<ReadonlyArray<Published>>;
  /** Changes the engine of a user that a tag means. */
  readonly change: (user: string, tag: string, how: Change) => void;
  /** Everything in it as SQL for a new D1 database, one statement per line. */
  readonly exportSql: () => string;
  /** The key with which its secrets are sealed. */
  readonly key: string;
  /** Ends at once: what is under way is cut. */
  readonly stop: () => Promise<void>;
}

/** Sealing needs a key; what a test registry holds is gone when it ends. */
const testKey = "a key for tests, which is no secret";

/** Starts a registry for a test. */
export const startRegistry = async (options: TestRegistryOptions = {}): Promise<TestRegistry> => {
  const requests: Array<RecordedRequest> = [];
  const faults = makeFaults(options.faults, options.seed);
  const registry = await startRegistryServer({
    fieldNumbers: options.fieldNumbers,
    schemaDigest: options.schemaDigest,
    jsonOnly: options.jsonOnly,
    database: options.database ?? ":memory:",
    port: options.port ?? 0,
    key: testKey,
    trial: options.users === undefined,
    rateLimit: options.rateLimit,
    // Tests call it by whatever name they are about.
    allowedHosts: ["*"],
    limits: { drainMs: 0 },
    faults,
    requests,
  });
  const { file } = registry;
  const users = options.users ?? [];
  for (const { name, engines = [], token = `local-${name}`, apiKey } of users) {
    const user = ensureUser(file, name, Date.now());
    await publishAll(file, user, engines, registry.box, Date.now());
    await addCredential(file, user, "token", token, Date.now(), "publish");
    if (apiKey !== undefined) await addCredential(file, user, "api-key", apiKey, Date.now(), "publish");
  }
  const named = options.users === undefined ? trialUsers : users;
  const stop = registry.stop;
  return {
    url: registry.url,
    origin: registry.origin,
    tokens: Object.fromEntries(named.map(({ name, token }) => [name, token ?? `local-${name}`])),
    requests,
    faults,
    publish: (name, ...engines) => publishAll(file, userOf(file, name), engines, registry.box, Date.now()),
    change: (name, tag, how) => void change(file, userOf(file, name), tag, how, Date.now()),
    exportSql: () => [...exportSql(file, Date.now())].join(""),
    key: testKey,
    stop,
    [Symbol.asyncDispose]: stop,
  };
};
