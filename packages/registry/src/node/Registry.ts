// A running registry: file, app and server.
import { statSync, type BigIntStats } from "node:fs";
import { basePath, isLoopback } from "@bytenite-engines/core/wire";
import { credentialOfToken, makeAccessTokens } from "../api/AccessTokens.ts";
import { lastUseMs, makeLastUse, type LastUse } from "../api/LastUse.ts";
import { migrate } from "../api/Migrations.ts";
import { attemptLimit } from "../api/Authentication.ts";
import { countedAddress, makeLimit, type RateLimitOptions } from "../api/RateLimit.ts";
import type { User } from "../api/EngineStore.ts";
import { makeSecretBox, type SecretBox } from "../api/SecretBox.ts";
import type { ArchiveOptions } from "../archive/Lifecycle.ts";
import { beginArchive, type ObjectStore } from "../archive/ArchiveStore.ts";
import { makeLinks } from "../archive/Link.ts";
import { sweep } from "../archive/Sweep.ts";
import { defaultUploadLimits, type UploadLimits } from "../archive/Upload.ts";
import { earlyErrorAnswer } from "../api/Answer.ts";
import { makeApp, withWeb } from "../api/App.ts";
import { DatabaseUnavailable } from "../api/SqlDriver.ts";
import type { RoutesOptions } from "../api/Routes.ts";
import { makeWeb, type Web } from "../api/Web.ts";
import { statements } from "../api/Statements.ts";
import { makeSerializer, type SerializerOptions } from "../api/Serializer.ts";
import type { Faults } from "../faults/Faults.ts";
import { addConfigured } from "../manage/Accounts.ts";
import { seedTrial, trialUsers, type KeepSample } from "../manage/Trial.ts";
import { archiveFolderOf, makeArchiveFolder, nodeSha256 } from "./ArchiveFolder.ts";
import { openAccessLog, type AccessLog, type LogLevel } from "./AccessLog.ts";
import { makeAdmin, makeHealth, serving } from "./AdminEndpoints.ts";
import { nodeWeb } from "./Compression.ts";
import { docsEndpoints } from "./DocsAssets.ts";
import { makeFaultyHandler } from "./FaultyHandler.ts";
import { checkedEndpoints, checkedHandler, makeHostCheck, namesLoopback, type HostCheck } from "./HostCheck.ts";
import {
  startServer,
  type Handler,
  type RunningServer,
  type ServerObserver,
  type ServerOptions,
} from "./HttpServer.ts";
import { makeMetrics, observed, type Metrics } from "./Metrics.ts";
import { recording, type RecordedRequest } from "./Recorder.ts";
import { watchReads } from "./ReadHealth.ts";
import { defaultLimits, type ServerLimits } from "./ServerLimits.ts";
import { openSqlite, type SqliteFile } from "./SqliteFile.ts";

/** Options of a registry. */
export interface RegistryOptions extends SerializerOptions {
  /** Path of the SQLite file, which is made when it does not exist; `:memory:` for none. */
  readonly database: string;
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  /** Port on 127.0.0.1 for `/metrics` and `/faults`. Default: they are on `port` if that is on loopback, else nowhere. */
  readonly adminPort?: number | undefined;
  /** The operator's key, at least 32 characters: encrypts secrets and signs access tokens. */
  readonly key?: string | undefined;
  /** Tokens that come from a file or the environment: user name -> tokens. */
  readonly tokens?: Readonly<Record<string, ReadonlyArray<string>>> | undefined;
  /** Where each is configured, for messages after a revocation. */
  readonly tokenPlaces?: ReadonlyMap<string, string> | undefined;
  /**
   * Whether this is a trial: a new database gets the trial users, and their tokens, which everybody knows, are accepted.
   * Never anywhere but on loopback. Default true, unless `tokens` are given.
   */
  readonly trial?: boolean | undefined;
  /**
   * Hosts that requests may name besides loopback, with any port; `*` for all. Others get 421 (against DNS
   * rebinding). Default: `host` and the host of `publicUrl`, in a trial none; all where `host` is not loopback and there is
   * no `publicUrl`. `/metrics` and `/faults` answer loopback and the hosts that are named here.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined;
  /** Origins (`https://app.example`) whose pages may read the API, or `*`. Default: none. */
  readonly corsOrigins?: ReadonlyArray<string> | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  /** Folder of archives. Default: the path of the database with `.archives` behind it. */
  readonly archives?: string | undefined;
  readonly uploads?: Partial<UploadLimits> | undefined;
  /**
   * The URL at which clients reach this registry, without the path of the API: links to archives begin with it. Default: the
   * origin, if `host` and the request's `Host` are of loopback; else there are no downloads.
   */
  readonly publicUrl?: string | undefined;
  /**
   * Addresses and networks (`10.0.0.0/8`) of proxies in front: a connection of theirs serves many clients, so
   * `limits.connectionsPerAddress` does not apply to it. Default: none.
   */
  readonly trustedProxies?: ReadonlyArray<string> | undefined;
  /** Calls that each user may make. Default: any number. */
  readonly rateLimit?: RateLimitOptions | undefined;
  /** Requests per address (IPv6: /64; not loopback), checked before authentication. Default: any number. */
  readonly addressRateLimit?: RateLimitOptions | undefined;
  /** `stderr` or a file that gets a line of JSON per request. Default: none. */
  readonly accessLog?: string | undefined;
  /** Least level of its lines. Default `info`: all. */
  readonly logLevel?: LogLevel | undefined;
  /** Switches faults on, with these rules. Default: off. */
  readonly faults?: Faults | undefined;
  /** Milliseconds since 1970, by which credentials and links expire. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Receives all requests with their headers. For tests. */
  readonly requests?: Array<RecordedRequest> | undefined;
}

/** A running registry. */
export interface RunningRegistry {
  /** `http://host:port` */
  readonly origin: string;
  /** The base URL of the API: the origin and `/v1/dev`. */
  readonly url: string;
  /** Origin of `/metrics` and `/faults`, if they are served. */
  readonly adminOrigin: string | undefined;
  /** The trial users' tokens by user name, if they were just created. */
  readonly seeded: Readonly<Record<string, string>>;
  /** Whether it is a trial, whose tokens are publicly known. */
  readonly trial: boolean;
  readonly file: SqliteFile;
  readonly box: SecretBox | undefined;
  /** Reopens the access log at its path, after a rotation. */
  readonly reopenLog: () => void;
  /** Drains the server and closes the file. */
  readonly stop: () => Promise<void>;
}

/** Starts a registry. Rejects with a clear error on a bad key, numbering or file, or a port in use. */
export const startRegistryServer = async (options: RegistryOptions): Promise<RunningRegistry> => {
  const closing: Array<() => void | Promise<void>> = [];
  const servers: Array<RunningServer> = [];
  const close = async (): Promise<void> => {
    for (const server of servers.toReversed()) await server.stop();
    for (const step of closing.toReversed()) await step();
  };
  try {
    const { host = "127.0.0.1", adminPort } = options;
    const loopback = isLoopback(host);
    // With tokens or hosts of its own it serves others, and is not a trial.
    const isLocal = options.tokens === undefined && options.allowedHosts === undefined;
    const trial = loopback && (options.trial ?? isLocal);
    const box = options.key === undefined ? undefined : await makeSecretBox(options.key);
    const serializer = makeSerializer(options);
    // Ports first: if one is in use, no file may be created, nor one changed that another process serves.
    const listen = async (on: ServerOptions): Promise<RunningServer> => {
      const server = await startServer(on);
      servers.push(server);
      return server;
    };
    const limits = { ...defaultLimits, ...options.limits };
    const metrics = makeMetrics(options.database);
    let log: AccessLog | undefined;
    const web = makeWeb({ ...nodeWeb, maxBytes: limits.answerBytes, corsOrigins: options.corsOrigins });
    const { trustedProxies, rateLimit, addressRateLimit } = options;
    const onLimit = onLimitOf({ ...limits, rateLimit, addressRateLimit, wrongTokens: attemptLimit }, metrics);
    const endsWithClient = options.faults !== undefined;
    const adminServer =
      adminPort === undefined
        ? undefined
        : await listen({
            host: "127.0.0.1",
            port: adminPort,
            limits: { ...limits, drainMs: 0, drainDelayMs: 0 },
            onLimit,
          });
    const { connected, disconnected, dropped } = metrics;
    const refused: ServerObserver["refused"] = (status, requestId, address) => {
      metrics.refused(status);
      log?.refused(status, requestId, address);
    };
    const observer = { connected, disconnected, dropped, refused };
    const refusal: ServerOptions["refusal"] = (error, head) =>
      web.finish(head, earlyErrorAnswer(error, head, serializer));
    const { port } = options;
    const server = await listen({ host, port, limits, trustedProxies, onLimit, observer, refusal, endsWithClient });
    if (options.accessLog !== undefined) log = openAccessLog(options.accessLog, options.logLevel);
    if (log !== undefined) closing.push(log.close);
    const file = openSqlite(options.database);
    const inPlace = rememberFile(options.database, file.access === "frozen");
    closing.push(file.close);
    const store = makeArchiveFolder(await archiveFolderOf(options, closing));
    const seeded = await filled(file, box, options, trial, store);
    const check = makeHostCheck(options.allowedHosts ?? [], serializer);
    const everywhere = makeHostCheck(allowedHostsOf(options, trial), serializer);
    const reads = watchReads(file.port, {
      onFailure: metrics.readFailed,
      onChange: onDatabase(options.database, metrics),
    });
    const sql = reads.port;
    const lastUse = makeLastUse(sql);
    const flushing = setInterval(() => void lastUse.flush(), lastUseMs).unref();
    closing.push(() => clearInterval(flushing));
    const sweeping = setInterval(() => {
      sweep(file.port, store, Date.now()).catch((error: unknown) => console.error("registry: sweeping failed:", error));
    }, sweepEveryMs).unref();
    closing.push(() => clearInterval(sweeping));
    const archives: ArchiveOptions = {
      store,
      sha256: nodeSha256,
      links: await makeLinks(options.key),
      publicUrl: options.publicUrl,
      localUrl: (host) => (loopback && namesLoopback(host) ? originOf(server) : undefined),
      limits: { ...defaultUploadLimits, ...options.uploads },
    };
    const stores = { archives, serializer, sql, box };
    const user = await userHandler(stores, { options, trial, check: everywhere, web, lastUse, reached: onLimit });
    const admin = checkedEndpoints(check, makeAdmin({ metrics: metrics.text, faults: options.faults }));
    const health = makeHealth({ sql, draining: server.draining, inPlace, problem: reads.problem });
    const own = adminServer === undefined && loopback ? admin : [];
    adminServer?.answerWith(observed(serving(new Map([...health, ...admin]), web), metrics, log));
    server.answerWith(observed(serving(new Map([...health, ...own]), web, user), metrics, log));
    const origin = originOf(server);
    const adminOrigin = adminServer === undefined ? (loopback ? origin : undefined) : originOf(adminServer);
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopped ??= close());
    const reopenLog = (): void => log?.reopen();
    return { origin, url: origin + basePath, adminOrigin, seeded, trial, file, box, reopenLog, stop };
  } catch (error) {
    await close();
    throw error;
  }
};

/** The hosts that requests to the API may name besides loopback. Warns when all are allowed because none is configured. */
const allowedHostsOf = ({ host = "127.0.0.1", publicUrl, allowedHosts }: RegistryOptions, trial: boolean) => {
  if (allowedHosts !== undefined) return allowedHosts;
  // The tokens of a trial are known: it must not be reached through a proxy.
  if (trial) return [];
  if (publicUrl !== undefined) return [host, new URL(publicUrl).hostname];
  if (isLoopback(host)) return [];
  console.error("registry: requests for any Host are answered: set publicUrl or allowedHosts to check it");
  return ["*"];
};

const originOf = ({ host, port }: RunningServer): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

const keeping =
  (store: ObjectStore): KeepSample =>
  async (archive) => {
    const writer = await beginArchive(store, nodeSha256());
    await writer.write(archive);
    return writer.finish();
  };

/** Milliseconds between two searches for orphaned objects. */
const sweepEveryMs = 10 * 60_000;

/** Migrates the database and adds configured tokens and trial users. */
const filled = async (
  file: SqliteFile,
  box: SecretBox | undefined,
  options: RegistryOptions,
  trial: boolean,
  store: ObjectStore,
): Promise<RunningRegistry["seeded"]> => {
  const { wasNew } = await migrate(file.port, Date.now(), box);
  if (box === undefined && file.rows({ sql: statements.keyCheck, values: [] }).length > 0) {
    console.error(
      "registry: BYTENITE_REGISTRY_KEY is not set, but this database was used with one: what it encrypts cannot be read",
    );
  }
  const { tokens = {}, tokenPlaces = new Map<string, string>() } = options;
  for (const { id, user, place } of await addConfigured(file, tokens, tokenPlaces, Date.now())) {
    console.error(
      `registry: a token of ${user} in ${place} is revoked (${id}) and opens nothing: remove it from there`,
    );
  }
  if (!wasNew || !trial) return {};
  // Databases in memory are for tests: there is no disk to wait for.
  await seedTrial(file, Date.now(), options.database === ":memory:" ? undefined : keeping(store));
  return Object.fromEntries(trialUsers.map(({ name, token }) => [name, token]));
};

/** Milliseconds in which a reached limit is logged once. */
const limitSaidMs = 60_000;

/** Limits by their names in the settings, and `wrongTokens`. */
type Limits = ServerLimits &
  Readonly<Record<"rateLimit" | "addressRateLimit" | "wrongTokens", RateLimitOptions | undefined>>;

/** Called when an address or a user reaches a limit. */
type OnReached = (limit: keyof Limits, by: string) => void;

const valueOf = (limit: number | RateLimitOptions | undefined): string =>
  typeof limit === "object" ? `${limit.perSecond} a second, ${limit.burst} at once` : String(limit);

/** Counts and logs a reached limit. */
const onLimitOf = (limits: Limits, metrics: Metrics): OnReached => {
  const said = new Map<string, { atMs: number; more: number }>();
  return (limit, by) => {
    metrics.limited(limit);
    const last = said.get(limit);
    const atMs = performance.now();
    if (last !== undefined && atMs - last.atMs < limitSaidMs) {
      last.more += 1;
      return;
    }
    const more = last === undefined || last.more === 0 ? "" : `, and ${last.more} times since this was last said`;
    said.set(limit, { atMs, more: 0 });
    console.error(`registry: limit ${limit} (${valueOf(limits[limit])}) reached by ${by}${more}`);
  };
};

/** Logs when reads of the database begin to fail and when they succeed again. */
const onDatabase =
  (path: string, metrics: Metrics) =>
  (problem: string | undefined): void => {
    metrics.degraded(problem !== undefined);
    console.error(
      problem === undefined
        ? `registry: ${path} is read again, where it failed before`
        : `registry: ${path} fails to read: ${problem}; requests for what cannot be read get 503. "registry check" names what is damaged`,
    );
  };

/** Parts that answer requests, besides what they read from. */
interface Parts {
  readonly options: RegistryOptions;
  readonly trial: boolean;
  readonly check: HostCheck;
  readonly web: Web;
  readonly lastUse: LastUse;
  readonly reached: OnReached;
}

/** A rate limit whose refusals are counted and logged. */
const telling =
  <A>(take: (of: A) => void, onRefusal: (of: A) => void) =>
  (of: A): void => {
    try {
      take(of);
    } catch (error) {
      onRefusal(of);
      throw error;
    }
  };

const userHandler = async (
  stores: Pick<RoutesOptions, "archives" | "serializer" | "sql" | "box">,
  { options, trial, check, web, lastUse, reached }: Parts,
): Promise<Handler> => {
  const { faults, requests, rateLimit, addressRateLimit } = options;
  const attempts = makeLimit(attemptLimit);
  const byUser = rateLimit === undefined ? undefined : makeLimit(rateLimit);
  const byAddress = addressRateLimit === undefined ? undefined : makeLimit(addressRateLimit);
  const accessTokens = await makeAccessTokens(options.key);
  const plain = makeApp({
    ...stores,
    accessTokens,
    configured: options.tokens ?? {},
    accepts: trial ? ["token", "configured", "trial"] : ["token", "configured"],
    ...(byUser === undefined
      ? {}
      : {
          checkRate: telling(
            ({ id }: User) => byUser.take(id),
            ({ name }) => reached("rateLimit", name),
          ),
        }),
    ...(byAddress === undefined
      ? {}
      : { checkAddressRate: telling(byAddress.take, (address) => reached("addressRateLimit", address)) }),
    attempts: { ...attempts, take: telling(attempts.take, (address) => reached("wrongTokens", address)) },
    used: lastUse.note,
    ...(options.now === undefined ? {} : { now: options.now }),
    addressOf: ({ address }) =>
      address === undefined || isLoopback(address.replace(/^::ffff:/, "")) ? undefined : countedAddress(address),
    onFault: (error, requestId) => {
      // Logged once, by onDatabase.
      if (!(error instanceof DatabaseUnavailable)) console.error(`request ${requestId} failed:`, error);
    },
  });
  const app = withWeb(plain, web);
  // The API itself reports a failing database.
  const userOf = async (token: string): Promise<string | undefined> =>
    (await credentialOfToken(stores.sql, accessTokens, token, Date.now()).catch(() => undefined))?.user.name;
  const answering: Handler =
    faults === undefined
      ? ({ head }) => app(head)
      : makeFaultyHandler({ app, plain, faults, serializer: options, userOf });
  const checked = checkedHandler(check, serving(docsEndpoints, web, answering));
  return requests === undefined ? checked : recording(checked, requests);
};

/**
 * Returns a check whether the file at a path is still the same one. A moved, deleted or replaced file stays open, but others,
 * such as a revocation, no longer write to it. `:memory:` is always the same. A file opened as `frozen` must also be
 * unchanged.
 */
const rememberFile = (path: string, frozen: boolean): (() => boolean) => {
  const opened = found(path);
  if (opened === undefined) return () => true;
  return () => {
    const now = found(path);
    return now !== undefined && now.ino === opened.ino && now.dev === opened.dev && !(frozen && isChanged(now, opened));
  };
};

const isChanged = (now: BigIntStats, before: BigIntStats): boolean =>
  now.mtimeNs !== before.mtimeNs || now.size !== before.size;

const found = (path: string): BigIntStats | undefined => statSync(path, { bigint: true, throwIfNoEntry: false });
