// Checks of name, TLS, credentials and plain answers.
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { connect, type PeerCertificate } from "node:tls";
import { formatOf, jwtExpiryMs } from "@bytenite-engines/core/wire";
import { failureOf } from "../Failure.ts";
import type { Invocation } from "../Invocation.ts";
import { accessToken, credentials, fetchOf, httpFetch } from "../client/Client.ts";
import { isLocal, type Credentials } from "../config/Credentials.ts";
import { relativeTime, sayDuration } from "../parse/Units.ts";
import { found, type Check } from "./Check.ts";

/** A certificate that ends sooner than this is not well, in days. */
const leastCertificateDays = 7;
const dayMs = 86_400_000;

/** Longest answer with one engine that is read, in bytes. */
const maxPageBytes = 1_048_576;

/** Whether the host of a URL, or of the proxy for it, has a name, and what it means. */
export const checkName = async (url: URL, isProxy = false): Promise<Check> => {
  const host = url.hostname.replaceAll(/^\[|\]$/g, "");
  const subject = isProxy ? `proxy ${host}` : host;
  if (isIP(host) !== 0) return found("name", "ok", "an address, no name", subject);
  try {
    const addresses = await lookup(host, { all: true });
    return found("name", "ok", addresses.map(({ address }) => address).join(", "), subject);
  } catch (error) {
    const { code } = error as { code?: string };
    const hint = isProxy
      ? "HTTP_PROXY or HTTPS_PROXY names it as the proxy; NO_PROXY lists hosts that need none"
      : "point elsewhere with --base-url URL, BYTENITE_BASE_URL or `bne profile set NAME --base-url URL`";
    return found("name", "failed", `does not resolve (${code ?? "unknown"}); ${hint}`, subject);
  }
};

/** Whether the connection is encrypted, and for how long the certificate holds. */
export const checkTls = async (url: URL, limitMs: number, signal: AbortSignal): Promise<Check> => {
  if (url.protocol === "http:") {
    return isLocal(url.href)
      ? found("tls", "ok", "plain HTTP, which does not leave this machine")
      : found("tls", "failed", "plain HTTP: everybody on the way can read the token");
  }
  try {
    const { protocol, certificate } = await handshake(url, limitMs, signal);
    const days = Math.floor((Date.parse(certificate.valid_to) - Date.now()) / dayMs);
    const detail = `${protocol}, certificate of ${[certificate.subject.CN].flat().join(", ")} ends in ${days} days`;
    return found("tls", days < leastCertificateDays ? "failed" : "ok", detail);
  } catch (error) {
    if (signal.aborted) throw error;
    const { code, message } = error as { code?: string; message: string };
    if (code === "ERR_SSL_WRONG_VERSION_NUMBER")
      return found("tls", "failed", `this port speaks no TLS; does its address begin with http://? (${code})`);
    return found("tls", "failed", code === undefined ? message : `${message} (${code})`);
  }
};

const handshake = (
  url: URL,
  limitMs: number,
  signal: AbortSignal,
): Promise<{ readonly protocol: string; readonly certificate: PeerCertificate }> =>
  new Promise((resolve, reject) => {
    const host = url.hostname.replaceAll(/^\[|\]$/g, "");
    const socket = connect({ host, port: Number(url.port || 443), ...(isIP(host) === 0 ? { servername: host } : {}) });
    const stop = (): void => void socket.destroy(signal.reason as Error);
    signal.addEventListener("abort", stop);
    socket.setTimeout(limitMs, () => socket.destroy(new Error(`no handshake within ${limitMs} ms`)));
    socket.on("error", reject);
    socket.on("close", () => signal.removeEventListener("abort", stop));
    socket.on("secureConnect", () => {
      resolve({ protocol: socket.getProtocol() ?? "unknown", certificate: socket.getPeerCertificate() });
      socket.end();
    });
  });

/** Plain requests for the latency, the last of them also for the media types. */
export const latencyRounds = 3;

/** What opens the API, and what is to be said about it. */
export interface Key {
  readonly check: Check;
  readonly found: Credentials | undefined;
  readonly token: string | undefined;
}

/** The credentials of this run. */
export const keyOf = async (invocation: Invocation): Promise<Key> => {
  let key: Credentials | undefined;
  try {
    key = await credentials(invocation);
    if (key === undefined) {
      return {
        check: found("credentials", "failed", "none; log in with `bne auth login`, or set BYTENITE_TOKEN"),
        found: key,
        token: undefined,
      };
    }
    const token = await accessToken(invocation, key);
    const expiryMs = jwtExpiryMs(token);
    const over = expiryMs !== undefined && expiryMs <= Date.now();
    const life =
      expiryMs === undefined ? "it does not say until when" : `it ends ${relativeTime(expiryMs, Date.now())}`;
    return {
      check: found("credentials", over ? "failed" : "ok", `from ${key.origin}; ${life}`, key.kind),
      found: key,
      token,
    };
  } catch (error) {
    if (invocation.signal.aborted) throw error;
    return {
      check: found("credentials", "failed", failureOf(error).message, key?.kind ?? ""),
      found: undefined,
      token: undefined,
    };
  }
};

/** Answers to the same small question under each Accept. Without a first one there is only that. */
export const plainAnswers = async (
  invocation: Invocation,
  url: URL,
  token: string | undefined,
): Promise<ReadonlyArray<PlainAnswer | NoAnswer>> => {
  const { settings, notes, signal } = invocation;
  const [first] = accepts;
  const asked = [...Array.from({ length: latencyRounds - 1 }, () => first), ...accepts];
  const answers: Array<PlainAnswer | NoAnswer> = [];
  for (const accept of asked) {
    notes.progress(`asking for ${accept}`);
    const limit = AbortSignal.timeout(Number(settings.of("deadline").value));
    const sentAtMs = Date.now();
    try {
      const response = await fetchOf(invocation, true)(`${url.href.replace(/\/+$/, "")}/engines?pagination.limit=1`, {
        headers: { accept, ...(token === undefined ? {} : { authorization: token }) },
        signal: AbortSignal.any([signal, limit]),
      });
      const bytes = await response.bytesWithin(maxPageBytes, () => new Error(`more than ${maxPageBytes} bytes`));
      answers.push({
        accept,
        status: response.status,
        headers: response.headers,
        bytes,
        sentAtMs,
        receivedAtMs: Date.now(),
      });
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message } = error as { code?: string; message: string };
      const why = limit.aborted ? "none within the deadline" : `none: ${code ?? message.replace(/^nodeFetch: /, "")}`;
      const proxy = httpFetch().proxyOf(url.href);
      answers.push({ accept, problem: proxy === undefined ? why : `${why}, through the proxy ${proxy}` });
      if (answers.length === 1) return answers;
    }
  }
  return answers;
};

/** One answer to a plain request, with the moments around it in milliseconds since 1970. */
export interface PlainAnswer {
  readonly accept: string;
  readonly status: number;
  readonly headers: { readonly get: (name: string) => string | null };
  readonly bytes: Uint8Array;
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
}

/** A plain request that got no answer, and why. */
export interface NoAnswer {
  readonly accept: string;
  readonly problem: string;
}

/** Whether an answer came. */
export const isAnswer = (answer: PlainAnswer | NoAnswer): answer is PlainAnswer => !("problem" in answer);

/** Accept headers: the documented types, that of the stock marshaler, any type, and a weighted list. */
export const accepts = [
  "application/json",
  "application/x-protobuf",
  "application/octet-stream",
  "*/*",
  "application/x-protobuf, application/json;q=0.5",
] as const;

/** A clock that is off by more than this makes tokens and hints wrong, in milliseconds. */
const maxSkewMs = 30_000;

/** Whether a body is what its label says: JSON begins with a bracket, and protobuf of this API never does. */
export const checkMediaType = (answer: PlainAnswer | NoAnswer): Check => {
  if (!isAnswer(answer)) return found("media type", "failed", answer.problem, answer.accept);
  const { accept, status, headers, bytes } = answer;
  const label = headers.get("content-type");
  const detail = `${status} ${label ?? "without Content-Type"}`;
  if (status === 406) return found("media type", "ok", `${status}: not offered`, accept);
  if (status !== 200) return found("media type", "failed", detail, accept);
  const format = formatOf(label);
  const looksLikeJson = bytes[0] === 0x7b;
  if (format === undefined) return found("media type", "failed", `${detail}: neither JSON nor protobuf`, accept);
  if ((format === "json") !== looksLikeJson && bytes.length > 0) {
    return found("media type", "failed", `${detail}, but the body is ${looksLikeJson ? "JSON" : "not JSON"}`, accept);
  }
  return found("media type", "ok", detail, accept);
};

/** How far the server's clock is off. Its Date has whole seconds, so nothing finer is claimed. */
export const checkClock = ({ headers, sentAtMs, receivedAtMs }: PlainAnswer): Check => {
  // A cached response has its original Date and an Age (RFC 9111, 4.2.3).
  const ageMs = (Number(headers.get("age")) || 0) * 1_000;
  const dateMs = Date.parse(headers.get("date") ?? "") + ageMs;
  if (Number.isNaN(dateMs)) return found("clock", "unknown", "no Date in the answer");
  // Somewhere in the second that Date names, and somewhere between sending and receiving.
  const aheadMs = Math.max(0, dateMs - receivedAtMs);
  const skewMs = aheadMs || Math.max(0, sentAtMs - dateMs - 1_000);
  if (skewMs === 0) return found("clock", "ok", "agrees with ours");
  const detail = `${sayDuration(skewMs)} ${aheadMs === 0 ? "behind" : "ahead of"} ours`;
  return found("clock", skewMs > maxSkewMs ? "failed" : "ok", detail);
};

/** Report on a cache on the way. */
export const checkCache = ({ headers }: Pick<PlainAnswer, "headers">): Check => {
  const said = ["cache-status", "age", "x-cache", "cf-cache-status", "via"].flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [`${name}: ${value}`];
  });
  return found("cache", "ok", said.length === 0 ? "none in front" : said.join("; "));
};

const hintHeaders = [
  "retry-after",
  "retry-after-ms",
  "grpc-metadata-retry-after",
  "ratelimit",
  "ratelimit-policy",
  "x-ratelimit-limit",
  "x-ratelimit-remaining",
];

/** Rate limit headers of the server. */
export const checkHints = (answers: ReadonlyArray<Pick<PlainAnswer, "headers">>): Check => {
  const said = new Set(
    answers.flatMap(({ headers }) =>
      hintHeaders.flatMap((name) => {
        const value = headers.get(name);
        return value === null ? [] : [`${name}: ${value}`];
      }),
    ),
  );
  return found("retry hints", "ok", said.size === 0 ? "none given, none needed" : [...said].join("; "));
};

/** The middle of several durations. */
export const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** How long an answer takes. */
export const checkLatency = (answers: ReadonlyArray<PlainAnswer>): Check => {
  const times = answers.map(({ sentAtMs, receivedAtMs }) => receivedAtMs - sentAtMs);
  return found(
    "latency",
    "ok",
    `${Math.round(median(times))} ms (median of ${times.length}, the first ${Math.round(times[0] ?? 0)} ms)`,
  );
};
