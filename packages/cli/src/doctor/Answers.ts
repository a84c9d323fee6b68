// Decides: what answers of the server tell: media types, clock, cache, retry hints.
import { formatOf } from "@bytenite-engines/core/wire";
import { sayDuration } from "../Duration.ts";
import { found, type Check } from "./Check.ts";

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

/** What is asked for: the documented types, the one of the stock marshaler, anything, and a list with weights. */
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
    return found("media type", "failed", `${detail}, but the body is ${looksLikeJson ? "JSON" : "no JSON"}`, accept);
  }
  return found("media type", "ok", detail, accept);
};

/** How far the server's clock is off. Its Date has whole seconds, so nothing finer is claimed. */
export const checkClock = ({ headers, sentAtMs, receivedAtMs }: PlainAnswer): Check => {
  const dateMs = Date.parse(headers.get("date") ?? "");
  if (Number.isNaN(dateMs)) return found("clock", "unknown", "no Date in the answer");
  // Somewhere in the second that Date names, and somewhere between sending and receiving.
  const skewMs =
    dateMs > receivedAtMs ? dateMs - receivedAtMs : dateMs + 1_000 < sentAtMs ? dateMs + 1_000 - sentAtMs : 0;
  if (skewMs === 0) return found("clock", "ok", "agrees with ours");
  const detail = `${sayDuration(Math.abs(skewMs))} ${skewMs > 0 ? "ahead of" : "behind"} ours`;
  return found("clock", Math.abs(skewMs) > maxSkewMs ? "failed" : "ok", detail);
};

/** What is said of a cache on the way. */
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

/** What the server says about how often it may be asked. */
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
