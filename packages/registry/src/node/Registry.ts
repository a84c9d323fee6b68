// Decides: how the parts become one running registry: file, site, server.
import { credentialOfToken, makeAccessTokens } from "../api/AccessTokens.ts";
import { migrate } from "../api/Migrations.ts";
import { makeRateLimit, type RateLimitOptions } from "../api/RateLimit.ts";
import { makeSecretBox, type SecretBox } from "../api/SecretBox.ts";
import { makeSite } from "../api/Site.ts";
import { makeWire, type WireOptions } from "../api/Wire.ts";
import { basePath } from "../api/Routes.ts";
import type { Faults } from "../faults/Faults.ts";
import { replaceConfigured } from "../manage/Accounts.ts";
import { seedTrial, trialUsers } from "../manage/Trial.ts";
import { makeFaultyHandler } from "./FaultyHandler.ts";
import { defaultLimits, startServer, type Handler, type ServerLimits } from "./HttpServer.ts";
import { recording, type RecordedRequest } from "./Recorder.ts";
import { isLoopback } from "./Loopback.ts";
import { openSqlite, type SqliteFile } from "./SqliteFile.ts";

/** How a registry is started. */
export interface RegistryOptions extends WireOptions {
  /** Path of the SQLite file, which is made when it does not exist; `:memory:` for none. */
  readonly database: string;
  /** Address to listen on. Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  /** The operator's key, at least 32 characters: secrets at rest and access tokens hang on it. */
  readonly key?: string | undefined;
  /** Tokens that come from a file or the environment: user name -> tokens. */
  readonly tokens?: Readonly<Record<string, ReadonlyArray<string>>> | undefined;
  /** Whether a new database on loopback gets the trial users. Default true, unless `tokens` are given. */
  readonly trial?: boolean | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  /** Calls that each user may make. Default: any number. */
  readonly rateLimit?: RateLimitOptions | undefined;
  /** Switches faults on, with these rules. Default: off. */
  readonly faults?: Faults | undefined;
  /** Where requests are written down with all they carry. Only for tests. */
  readonly requests?: Array<RecordedRequest> | undefined;
}

/** A registry that answers. */
export interface RunningRegistry {
  /** `http://host:port` */
  readonly origin: string;
  /** The base URL of the API: the origin and `/v1/dev`. */
  readonly url: string;
  /** The trial users' tokens by user name, where they were just made. */
  readonly seeded: Readonly<Record<string, string>>;
  readonly file: SqliteFile;
  readonly box: SecretBox | undefined;
  /** Drains the server and closes the file. */
  readonly stop: () => Promise<void>;
}

/** Starts a registry. Rejects with a clear error on a bad key, numbering or file, or a port in use. */
export const startRegistryServer = async (options: RegistryOptions): Promise<RunningRegistry> => {
  const host = options.host ?? "127.0.0.1";
  const loopback = isLoopback(host);
  const wire = makeWire(options);
  const box = options.key === undefined ? undefined : await makeSecretBox(options.key);
  const accessTokens = await makeAccessTokens(options.key);
  const file = openSqlite(options.database);
  try {
    const { wasNew } = await migrate(file.port, Date.now());
    if (options.tokens !== undefined) await replaceConfigured(file, options.tokens, Date.now());
    const seeds = wasNew && loopback && (options.trial ?? options.tokens === undefined);
    if (seeds) await seedTrial(file, Date.now());
    const site = makeSite({
      sql: file.port,
      wire,
      box,
      accessTokens,
      accepts: loopback ? ["token", "configured", "trial"] : ["token", "configured"],
      ...(options.rateLimit === undefined ? {} : { admit: makeRateLimit(options.rateLimit) }),
      onFault: (error, requestId) => console.error(`request ${requestId} failed:`, error),
    });
    const { faults, requests } = options;
    const plain: Handler = ({ head }) => site(head);
    const userOf = async (token: string): Promise<string | undefined> =>
      (await credentialOfToken(file.port, accessTokens, token, Date.now()))?.user.name;
    const handle = faults === undefined ? plain : makeFaultyHandler({ site, faults, wire: options, userOf });
    const limits = { ...defaultLimits, ...options.limits };
    const server = await startServer({
      host,
      port: options.port,
      limits,
      handle: requests === undefined ? handle : recording(handle, requests),
    });
    let stopped: Promise<void> | undefined;
    const origin = `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`;
    return {
      origin,
      url: origin + basePath,
      seeded: seeds ? Object.fromEntries(trialUsers.map(({ name, token }) => [name, token])) : {},
      file,
      box,
      stop: () => (stopped ??= server.stop().finally(() => file.close())),
    };
  } catch (error) {
    file.close();
    throw error;
  }
};
