// Client and access token of a run, hints for unknown tags.
import { UserError } from "@bytenite-engines/registry/command";
import { nodeFetch, type NodeFetch, type NodeFetchResponse } from "@bytenite-engines/core/node";
import {
  createEngineClient,
  type ClientOptions,
  type Fetch,
  type PromiseEngineClient,
  type ResponseHeaders,
  type TokenOption,
  type VerificationOptions,
} from "@bytenite-engines/core/promise";
import { exitCodes, isEngineError, HintedError } from "../Errors.ts";
import { isOn, type Invocation } from "../Invocation.ts";
import { credentialsOf, type Credentials, isLocal } from "../config/Credentials.ts";
import { loadProfile, originMemory } from "../config/FieldNumberFiles.ts";
import { assertProfile } from "../config/Settings.ts";
import { readSecretLine } from "../terminal/SecretInput.ts";
import { closest } from "@bytenite-engines/core/wire";
import type { Engine } from "@bytenite-engines/proto";
import { safeText } from "../terminal/SafeText.ts";

let made: NodeFetch | undefined;

/** One for the process, so that its requests share connections. */
export const httpFetch = (): NodeFetch => {
  try {
    return (made ??= nodeFetch());
  } catch (cause) {
    // A variable names a proxy that is none.
    throw new UserError((cause as TypeError).message, exitCodes.usage);
  }
};

/** Largest archive, in bytes; a server may have a lower limit. */
const maxArchiveBytes = 268_435_456;

/** Credentials of this run. */
export const credentials = async (invocation: Invocation): Promise<Credentials | undefined> => {
  const { settings, arguments: given, env } = invocation;
  assertProfile(settings, settings.profileName);
  return credentialsOf(settings, given.flags, env, () => readSecretLine(invocation, "Token"));
};

/** The token option of credentials. */
export const tokenOption = async (found: Credentials | undefined, cache: string): Promise<TokenOption | undefined> =>
  found?.kind === "api-key" ? exchangedToken(found, cache) : found?.secret;

/** The token option of an API key, whose tokens are kept in the cache directory. */
const exchangedToken = async (found: Credentials, cache: string): Promise<TokenOption> => {
  const [{ apiKey }, { keptAccessTokens }] = await Promise.all([
    import("@bytenite-engines/core/api-key"),
    import("../config/AccessTokens.ts"),
  ]);
  return keptAccessTokens(exchanges(apiKey, found), `${found.authUrl}\0${found.secret}`, cache);
};

/**
 * Exchanges a key where that is said; else at `auth/access_token` next to the last part of the base URL's path, or below it:
 * `/v1/dev` -> `/v1/auth/access_token`. Never on another origin.
 */
const exchanges = (
  apiKey: (key: string, options: { readonly url: string }) => TokenOption,
  { secret, authUrl }: Credentials,
): Exclude<TokenOption, string> => {
  return async (context) => {
    const base = `${context.baseUrl}/`;
    const places =
      authUrl === undefined
        ? ["../auth/access_token", "auth/access_token"].map((path) => new URL(path, base).href)
        : [authUrl];
    let missing: unknown;
    for (const url of new Set(places)) {
      const source = apiKey(secret, { url }) as Exclude<TokenOption, string>;
      try {
        return await source(context);
      } catch (error) {
        if (!isEngineError(error) || !["NotFound", "Unimplemented"].includes(error.reason._tag)) throw error;
        missing ??= error;
      }
    }
    throw missing;
  };
};

/** `fetch` for a run: answers from caches are noted with their age; `fresh`, or --fresh, asks past caches. */
export const fetchOf = (
  invocation: Invocation,
  fresh = false,
): ((...request: Parameters<Fetch>) => Promise<NodeFetchResponse>) => {
  const isFresh = fresh || isOn(invocation, "fresh");
  const sending = httpFetch();
  return async (url, init) => {
    const headers = isFresh ? pastCaches(init.headers) : init.headers;
    const response = await sending(url, {
      ...init,
      // On one machine, packing costs more than it saves.
      headers: { ...(isLocal(url) ? { "accept-encoding": "identity" } : {}), ...(headers as Record<string, string>) },
      onBodySent: (sent, total) => invocation.notes.transfer(sent, total),
    }).catch((cause: unknown) => {
      throw cause instanceof Error ? Object.assign(cause, { proxy: sending.proxyOf(url) }) : cause;
    });
    invocation.notes.sawAge(Number(response.headers.get("age")) || 0);
    return response;
  };
};

/** Adds `no-cache` (RFC 9111, 5.2.1.4) to the request's fields. */
const pastCaches = (headers: RequestInit["headers"]): Record<string, string> => ({
  ...(headers as Readonly<Record<string, string>> | undefined),
  "cache-control": "no-cache",
});

/** The client of this run. `fresh`: bypasses caches, as --fresh does. */
export const clientOf = async (invocation: Invocation, fresh = false): Promise<PromiseEngineClient> => {
  const { settings, notes, directories, arguments: given } = invocation;
  const token = await tokenOption(await credentials(invocation), directories.cache);
  const baseUrl = settings.text("baseUrl") ?? "";
  if (typeof given.flags["token"] === "string" && given.flags["token"] !== "-" && !isLocal(baseUrl)) {
    notes.warn("others on this machine can see a token on the command line; prefer BYTENITE_TOKEN or `bne auth login`");
  }
  const client = createEngineClient({
    baseUrl,
    format: settings.text("wireFormat") as NonNullable<ClientOptions["format"]>,
    deadlineMs: Number(settings.of("deadline").value),
    retry: { maxAttempts: Number(settings.of("attempts").value) },
    fetch: fetchOf(invocation, fresh),
    protobufVerification: await verification(invocation, baseUrl),
    onEvent: notes.event,
    limits: { maxArchiveBytes },
    ...(token === undefined ? {} : { token }),
  });
  return { ...client, get: async (...call) => withName(await client.get(...call), baseUrl) };
};

/** The engine. Throws UserError for one without a name, such as any other JSON object is. */
const withName = (engine: Engine, baseUrl: string): Engine => {
  if (engine.name !== "") return engine;
  throw new UserError(
    `The answer of ${new URL(baseUrl).host} cannot be read: it is an engine without a name`,
    exitCodes.undecodable,
    "Does the base URL lead to the API? `bne raw GET PATH` shows the answer as it is.",
  );
};

/** How protobuf is verified: by the profile that `bne doctor` wrote, and by what earlier commands found out. */
const verification = async ({ directories, notes }: Invocation, baseUrl: string): Promise<VerificationOptions> => {
  const memory = originMemory(directories.cache);
  try {
    const profile = await loadProfile(directories.cache, new URL(baseUrl).origin);
    if (profile === undefined) return { memory };
    const { fieldNumbers } = await import("@bytenite-engines/core/infer");
    return { memory, fieldNumbers: [fieldNumbers(profile)] };
  } catch (error) {
    const { message, isNewer } = error as Error & { readonly isNewer?: boolean };
    notes.warn(
      `the profile of this server's field numbers is not used (${message}); ` +
        (isNewer === true
          ? "a newer version seems to have written it, so it stays; `bne cache clear` removes it"
          : "`bne doctor` writes it anew"),
    );
    return { memory };
  }
};

const type: ReadonlyMap<string, string> = new Map([["content-type", "application/json"]]);
/** Not `Headers`, which would load all of the built-in `fetch`. */
const headers: ResponseHeaders = {
  get: (name) => type.get(name.toLowerCase()) ?? null,
  has: (name) => type.has(name.toLowerCase()),
  forEach: (callback) => type.forEach(callback),
};
const emptyList = { headers, bytes: new TextEncoder().encode("{}") };

/**
 * The access token of credentials, exchanged for the API key when that is what there is; `refused` is one that the server
 * did not accept. It is what a client would send, so the exchange has a client's deadline, and its attempts unless others are
 * given. Rejects with EngineError.
 */
export const accessToken = async (
  { settings, notes, signal, directories }: Invocation,
  found: Credentials,
  {
    refused,
    attempts = Number(settings.of("attempts").value),
  }: { readonly refused?: string | undefined; readonly attempts?: number } = {},
): Promise<string> => {
  if (found.kind !== "api-key") return found.secret;
  let token = "";
  const client = createEngineClient({
    baseUrl: settings.text("baseUrl") ?? "",
    format: "json",
    deadlineMs: Number(settings.of("deadline").value),
    retry: { maxAttempts: attempts },
    fetch: httpFetch(),
    token: await exchangedToken(found, directories.cache),
    // Only the exchange of the key is sent: the list that asks for it is answered here.
    onEvent: (event) => {
      if (event.endpoint === "credentials") notes.event(event);
    },
    middleware: [
      async ({ url, headers: { authorization = "" } }) => {
        token = authorization;
        return { ...emptyList, url, status: token === refused ? 401 : 200 };
      },
    ],
  });
  await client.list({}, { signal });
  return token;
};

/** Longest search for a similar tag, in milliseconds. */
const limitMs = 3_000;
/** Most engines that are searched: one page. */
const maxEngines = 1_000;
/** Most suggested tags. */
const maxTags = 3;

/**
 * Runs a call about a tag. When that is not found, people get the closest tags as a hint, for one more request; programs,
 * and who reads JSON, are not.
 */
export const withTagHints = async <T>(
  { notes, signal }: Pick<Invocation, "notes" | "signal">,
  client: Pick<PromiseEngineClient, "list">,
  tag: string,
  call: () => Promise<T>,
): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (!isEngineError(error) || error.reason._tag !== "NotFound") throw error;
    const near = notes.terminal.isTTY && !notes.verbosity.json ? await closeTags(client, tag, signal) : [];
    throw near.length === 0
      ? new HintedError(error, "`bne list` shows the engines there are.")
      : new HintedError(error, `Did you mean ${near.map(safeText).join(" or ")}?`);
  }
};

const closeTags = async (
  client: Pick<PromiseEngineClient, "list">,
  tag: string,
  signal: AbortSignal,
): Promise<ReadonlyArray<string>> => {
  let engines: ReadonlyArray<Engine>;
  try {
    // Protobuf can take a second request, to compare it with the JSON.
    const once = { format: "json", retry: { maxAttempts: 1 }, deadlineMs: limitMs, signal } as const;
    ({ engines } = await client.list({ limit: maxEngines }, once));
  } catch {
    return [];
  }
  const [name = tag] = tag.split("@");
  const sameName = engines.filter((engine) => engine.name === name).map((engine) => `${engine.name}@${engine.version}`);
  if (sameName.length > 0) return sameName.slice(0, maxTags);
  const names = engines.map((engine) => engine.name);
  const tags = tag.includes("@") ? engines.map((engine) => `${engine.name}@${engine.version}`) : names;
  const near = closest(tag, tags);
  return near.length > 0 ? near : closest(name, names);
};
