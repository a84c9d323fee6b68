// A running registry: file, app and server.
import { statSync, type BigIntStats } from "node:fs";
import { basePath, isLoopback } from "@bytenite-engines/core/wire";
import { credentialOfToken, makeAccessTokens } from "../api/AccessTokens.ts";
import { lastUseMs, makeLastUse, type LastUse } from "../api/LastUse.ts";
import { migrate } from "../api/Migrations.ts";
import { attemptLimit } from "../api/Authentication.ts";
import { countedAddress, makeLimit, makeRateLimit, type RateLimitOptions } from "../api/RateLimit.ts";
import type { User } from "../api/EngineStore.ts";
import { makeSecretBox, type SecretBox } from "../api/SecretBox.ts";
import type { ArchiveOptions } from "../archive/Lifecycle.ts";
import { beginArchive, type ObjectStore } from "../archive/ArchiveStore.ts";
import { makeLinks } from "../archive/Link.ts";
import { sweep } from "../archive/Sweep.ts";
import { defaultUploadLimits, type UploadLimits } from "../archive/Upload.ts";
import { makeApp, withWeb } from "../api/App.ts";
import { DatabaseUnavailable, type SqlDriver } from "../api/SqlDriver.ts";
import { makeWeb, type Web } from "../api/Web.ts";
import { makeSerializer, type Serializer, type SerializerOptions } from "../api/Serializer.ts";
import type { Faults } from "../faults/Faults.ts";
import { addConfigured } from "../manage/Accounts.ts";
import { seedTrial, trialUsers, type KeepSample } from "../manage/Trial.ts";
import { archiveFolderOf, makeArchiveFolder, nodeSha256 } from "./ArchiveFolder.ts";
import { openAccessLog, type AccessLog, type LogLevel } from "./AccessLog.ts";
import { makeAdmin, makeHealth, serving } from "./AdminEndpoints.ts";
import { nodeWeb } from "./Compression.ts";
import { docsEndpoints } from "./DocsAssets.ts";
import { makeFaultyHandler } from "./FaultyHandler.ts";
import {
  anyHost,
  checkedEndpoints,
  checkedHandler,
  makeHostCheck,
  namesLoopback,
  type HostCheck,
} from "./HostCheck.ts";
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

/** How a registry is started. */
export interface RegistryOptions extends SerializerOptions {
  /** Path of the SQLite file, which is made when it does not exist; `:memory:` for none. */
  readonly database: string;
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  /** Port on 127.0.0.1 for `/metrics` and `/faults`. Default: they are on `port` if that is on loopback, else nowhere. */
  readonly adminPort?: number | undefined;
  /** The operator's key, at least 32 characters: secrets at rest and access tokens hang on it. */
  readonly key?: string | undefined;
  /** Tokens that come from a file or the environment: user name -> tokens. */
  readonly tokens?: Readonly<Record<string, ReadonlyArray<string>>> | undefined;
  /** Where each of them stands, for whoever revokes one. */
  readonly tokenPlaces?: ReadonlyMap<string, string> | undefined;
  /**
   * Whether this is a trial: a new database gets the trial users, and their tokens, which everybody knows, are accepted.
   * Never anywhere but on loopback. Default true, unless `tokens` are given.
   */
  readonly trial?: boolean | undefined;
  /**
   * Hosts that requests may name besides loopback, with any port; `*` for all. Others get 421 (against DNS
   * rebinding). Default: in a trial none, otherwise all, but only loopback for `/metrics` and `/faults`.
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
   * Addresses and networks (`10.0.0.0/8`) of proxies in front: one connection of theirs stands for many clients, so that
   * `limits.connectionsPerAddress` does not count for them. Default: none.
   */
  readonly trustedProxies?: ReadonlyArray<string> | undefined;
  /** Calls that each user may make. Default: any number. */
  readonly rateLimit?: RateLimitOptions | undefined;
  /** Requests that each address (IPv6: one /64) may make, but for loopback, before it is asked who it is. Default: any number. */
  readonly addressRateLimit?: RateLimitOptions | undefined;
  /** `stderr` or a file that gets a line of JSON per request. Default: none. */
  readonly accessLog?: string | undefined;
  /** Least level of its lines. Default `info`: all. */
  readonly logLevel?: LogLevel | undefined;
  /** Switches faults on, with these rules. Default: off. */
  readonly faults?: Faults | undefined;
  /** Milliseconds since 1970, by which credentials and links expire. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Where requests are written down with all they carry. Only for tests. */
  readonly requests?: Array<RecordedRequest> | undefined;
}

/** A registry that answers. */
export interface RunningRegistry {
  /** `http://host:port` */
  readonly origin: string;
  /** The base URL of the API: the origin and `/v1/dev`. */
  readonly url: string;
  /** Where `/metrics` and `/faults` are, if anywhere. */
  readonly adminOrigin: string | undefined;
  /** The trial users' tokens by user name, where they were just made. */
  readonly seeded: Readonly<Record<string, string>>;
  /** Whether it is a trial, whose tokens everybody knows. */
  readonly trial: boolean;
  readonly file: SqliteFile;
  readonly box: SecretBox | undefined;
  /** Goes on in the file that is at the path of the access log now, after a rotation. */
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
    // A name that is not of this machine is one that others use.
    const isLocal = options.tokens === undefined && options.allowedHosts === undefined;
    const trial = loopback && (options.trial ?? isLocal);
    const box = options.key === undefined ? undefined : await makeSecretBox(options.key);
    const serializer = makeSerializer(options);
    // The ports come first: one that is in use must leave no new file behind, nor change one that another process serves.
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
    const server = await listen({
      host,
      port: options.port,
      limits,
      trustedProxies,
      onLimit,
      observer,
      endsWithClient,
    });
    if (options.accessLog !== undefined) log = openAccessLog(options.accessLog, options.logLevel);
    if (log !== undefined) closing.push(log.close);
    const file = openSqlite(options.database);
    const inPlace = rememberFile(options.database, file.access === "frozen");
    closing.push(file.close);
    const store = makeArchiveFolder(await archiveFolderOf(options, closing));
    const seeded = await filled(file, box, options, trial, store);
    const check = makeHostCheck(options.allowedHosts ?? [], serializer);
    const everywhere = trial || options.allowedHosts !== undefined ? check : anyHost;
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
    const user = await userHandler({
      archives,
      options,
      serializer,
      sql,
      box,
      trial,
      check: everywhere,
      web,
      lastUse,
      reached: onLimit,
    });
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

const originOf = ({ host, port }: RunningServer): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

const keeping =
  (store: ObjectStore): KeepSample =>
  async (archive) => {
    const writer = await beginArchive(store, nodeSha256());
    await writer.write(archive);
    return writer.finish();
  };

/** Milliseconds between two searches for objects that nothing names. */
const sweepEveryMs = 10 * 60_000;

/** Brings the file up to date and puts into it what the options ask for. */
const filled = async (
  file: SqliteFile,
  box: SecretBox | undefined,
  options: RegistryOptions,
  trial: boolean,
  store: ObjectStore,
): Promise<RunningRegistry["seeded"]> => {
  const { wasNew } = await migrate(file.port, Date.now(), box);
  const { tokens = {}, tokenPlaces = new Map<string, string>() } = options;
  for (const { id, user, place } of await addConfigured(file, tokens, tokenPlaces, Date.now())) {
    console.error(
      `registry: a token of ${user} in ${place} is revoked (${id}) and opens nothing: remove it from there`,
    );
  }
  if (!wasNew || !trial) return {};
  // What is in memory is for tests, which start one after the other: they wait for no disk.
  await seedTrial(file, Date.now(), options.database === ":memory:" ? undefined : keeping(store));
  return Object.fromEntries(trialUsers.map(({ name, token }) => [name, token]));
};

/** Milliseconds in which a limit that is reached again and again is said once. */
const limitSaidMs = 60_000;

/** The limits by their names in the settings, and that of strangers' credentials. */
type Limits = ServerLimits &
  Readonly<Record<"rateLimit" | "addressRateLimit" | "wrongTokens", RateLimitOptions | undefined>>;

/** Hears that a limit was reached by an address or a user. */
type OnReached = (limit: keyof Limits, by: string) => void;

const valueOf = (limit: number | RateLimitOptions | undefined): string =>
  typeof limit === "object" ? `${limit.perSecond} a second, ${limit.burst} at once` : String(limit);

/** Counts that a limit was reached, and says it. */
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

/** Says that the database fails to read, and that it no longer does; not each time that it does. */
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

/** What requests are answered from. */
interface Parts {
  readonly archives: ArchiveOptions;
  readonly options: RegistryOptions;
  readonly serializer: Serializer;
  readonly sql: SqlDriver;
  readonly box: SecretBox | undefined;
  readonly trial: boolean;
  readonly check: HostCheck;
  readonly web: Web;
  readonly lastUse: LastUse;
  readonly reached: OnReached;
}

/** A limit that is counted and said when it refuses. */
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

const userHandler = async ({
  archives,
  options,
  serializer,
  sql,
  box,
  trial,
  check,
  web,
  lastUse,
  reached,
}: Parts): Promise<Handler> => {
  const { faults, requests, rateLimit, addressRateLimit } = options;
  const attempts = makeLimit(attemptLimit);
  const accessTokens = await makeAccessTokens(options.key);
  const plain = makeApp({
    archives,
    sql,
    serializer,
    box,
    accessTokens,
    configured: options.tokens ?? {},
    accepts: trial ? ["token", "configured", "trial"] : ["token", "configured"],
    ...(rateLimit === undefined
      ? {}
      : { checkRate: telling(makeRateLimit(rateLimit), ({ name }: User) => reached("rateLimit", name)) }),
    ...(addressRateLimit === undefined
      ? {}
      : {
          checkAddressRate: telling(makeLimit(addressRateLimit).take, (address) =>
            reached("addressRateLimit", address),
          ),
        }),
    attempts: { ...attempts, take: telling(attempts.take, (address) => reached("wrongTokens", address)) },
    used: lastUse.note,
    ...(options.now === undefined ? {} : { now: options.now }),
    addressOf: ({ address }) =>
      address === undefined || isLoopback(address.replace(/^::ffff:/, "")) ? undefined : countedAddress(address),
    onFault: (error, requestId) => {
      // Said once, by onDatabase.
      if (!(error instanceof DatabaseUnavailable)) console.error(`request ${requestId} failed:`, error);
    },
  });
  const app = withWeb(plain, web);
  // Where the database does not answer, the API itself says so.
  const userOf = async (token: string): Promise<string | undefined> =>
    (await credentialOfToken(sql, accessTokens, token, Date.now()).catch(() => undefined))?.user.name;
  const answering: Handler =
    faults === undefined
      ? ({ head }) => app(head)
      : makeFaultyHandler({ app, plain, faults, serializer: options, userOf });
  const checked = checkedHandler(check, serving(docsEndpoints, web, answering));
  return requests === undefined ? checked : recording(checked, requests);
};

/**
 * Remembers the file at a path. The answer asks whether it is still there: one that was moved, deleted or replaced stays open
 * and is read, but nobody else writes to it any more, a revocation neither. What is no file, as `:memory:`, is always there.
 * One that is read as if nobody changed it (`frozen`) must not have changed either.
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
