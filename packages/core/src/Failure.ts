// Error responses as EngineError.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { EngineError, type EngineErrorFields, type EngineErrorReason, type ErrorDetail } from "./EngineError.ts";
import { defaultReadLimits, LimitExceeded, type ReadLimits, parseJson } from "./ReadLimits.ts";
import { retryHintMs } from "./RetryHint.ts";
import { rpcCodeOfHttp, type RpcCode, rpcCodeOf, rpcCodes } from "./RpcCode.ts";
import { redact } from "./Secret.ts";
import type { ResponseHeaders } from "./Fetch.ts";
import { publicUrl, type HttpResponse } from "./Transport.ts";
import type { Status } from "@bytenite-engines/proto";
import { formatOf } from "./MediaType.ts";
import type { BinaryErrors } from "./BinaryErrors.ts";

/** Details of a failed request besides its error. */
export interface FailureCircumstances {
  /** Delay requested by the server, in milliseconds. */
  readonly hintMs?: number | undefined;
  /** The response, if any. */
  readonly answer?: HttpResponse;
  /** Whether another call has already used up the retries. */
  readonly exhausted?: boolean;
}

/** One failed request. The response is a private field, since span exporters print all others. */
export class AttemptFailure extends Error {
  readonly error: EngineError;
  readonly hintMs: number | undefined;
  readonly exhausted: boolean;
  readonly #answer: HttpResponse | undefined;
  constructor(error: EngineError, { hintMs, answer, exhausted = false }: FailureCircumstances = {}) {
    super(error.message);
    this.name = error.name;
    this.error = error;
    this.hintMs = hintMs;
    this.exhausted = exhausted;
    this.#answer = answer;
  }

  /** The same failure with other details. */
  with(fields: Partial<EngineErrorFields>): AttemptFailure {
    const { hintMs, exhausted } = this;
    const answer = this.#answer;
    return new AttemptFailure(this.error.with(fields), {
      hintMs,
      exhausted,
      ...(answer === undefined ? {} : { answer }),
    });
  }

  get answer(): HttpResponse | undefined {
    return this.#answer;
  }
}

/** Longest message of a server that is kept, in characters. */
export const maxServerMessageLength = 1_000;

/**
 * The failure in an answer. `secrets`, the credentials of the request, are redacted wherever the server repeats them. `binary`: undefined
 * where errors in protobuf are not read.
 */
export const failureOf = (
  answer: HttpResponse,
  nowMs: number,
  secrets: ReadonlyArray<string> = [],
  limits: ReadLimits = defaultReadLimits,
  binary?: BinaryErrors,
): AttemptFailure => {
  let said: ErrorBody | undefined;
  try {
    said = readErrorBody(answer, limits, binary);
  } catch (cause) {
    if (!(cause instanceof LimitExceeded)) throw cause;
    return tooLarge(answer, cause, secrets);
  }
  const code = said?.code ?? rpcCodeOfHttp(answer.status);
  const hintMs = retryHintMs(answer.headers, said?.details ?? [], nowMs, binary?.delayMs);
  // Redacted before truncation, which could leave part of a token.
  const message = redact(said?.message ?? "", secrets)
    .trim()
    .slice(0, maxServerMessageLength);
  const details = (said?.details ?? []).flatMap((detail) => redactedDetail(detail, secrets));
  const error = responseError(answer, reasonOf(code, answer.status, hintMs, secrets.length === 0), secrets, {
    code,
    details,
    ...(message === "" ? {} : { serverMessage: message }),
    ...(said?.requestId === undefined ? {} : { requestId: said.requestId }),
  });
  return new AttemptFailure(error, { hintMs, answer });
};

/** The error of a response. The id in its headers goes before that of `more`. */
export const responseError = (
  { url, status, headers }: HttpResponse,
  reason: EngineErrorReason,
  secrets: ReadonlyArray<string>,
  more: Partial<EngineErrorFields> = {},
): EngineError => {
  const requestId = requestIdOf(headers) ?? more.requestId;
  return new EngineError({
    ...more,
    reason,
    url: redact(publicUrl(url), secrets),
    attempts: 1,
    status,
    ...(requestId === undefined ? {} : { requestId: redact(requestId, secrets) }),
  });
};

/** The failure of a response beyond a limit. */
export const tooLarge = (
  answer: HttpResponse,
  { limit, value }: LimitExceeded,
  secrets: ReadonlyArray<string>,
): AttemptFailure => new AttemptFailure(responseError(answer, { _tag: "TooLarge", limit, value }, secrets));

/** Drops binary details that contain a secret, since redaction would corrupt them. */
const redactedDetail = (detail: ErrorDetail, secrets: ReadonlyArray<string>): ReadonlyArray<ErrorDetail> => {
  const { json, binary } = detail;
  const type = redact(detail.type, secrets);
  const text = json === undefined ? new TextDecoder().decode(binary) : JSON.stringify(json);
  const clean = redact(text, secrets);
  if (clean === text) return [{ ...detail, type }];
  return json === undefined ? [] : [{ type, json: JSON.parse(clean) as JsonObject }];
};

/** The request id, from the usual response headers. */
const requestIdOf = (headers: ResponseHeaders): string | undefined =>
  headers.get("x-request-id") ?? headers.get("request-id") ?? headers.get("grpc-metadata-x-request-id") ?? undefined;

const reasonOf = (
  code: RpcCode,
  status: number,
  retryAfterMs: number | undefined,
  noneSent: boolean,
): EngineErrorReason => {
  const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
  // 412 Precondition Failed takes precedence over the code (RFC 9110, 15.5.13).
  if (status === 412) return { _tag: "Conflict" };
  switch (code) {
    case "INVALID_ARGUMENT":
    case "OUT_OF_RANGE":
      return { _tag: "InvalidArgument" };
    case "FAILED_PRECONDITION":
      return status === 400 || status < 300 ? { _tag: "InvalidArgument" } : { _tag: "Rejected" };
    case "UNAUTHENTICATED":
      return noneSent ? { _tag: "Unauthenticated", noneSent } : { _tag: "Unauthenticated" };
    case "PERMISSION_DENIED":
      return { _tag: "PermissionDenied" };
    case "NOT_FOUND":
      return { _tag: "NotFound" };
    case "ALREADY_EXISTS":
    case "ABORTED":
      return { _tag: "Conflict" };
    case "RESOURCE_EXHAUSTED":
      return { _tag: "RateLimited", ...hint };
    case "UNIMPLEMENTED":
      return { _tag: "Unimplemented" };
    case "DATA_LOSS":
      return { _tag: "DataLoss" };
    case "UNKNOWN":
    case "INTERNAL":
    case "UNAVAILABLE":
    case "DEADLINE_EXCEEDED":
      return status >= 500 || status === 408 || status === 429 || code === "UNAVAILABLE"
        ? { _tag: "Unavailable", ...hint }
        : { _tag: "Rejected" };
    default:
      return { _tag: "Rejected" };
  }
};

/** A decoded error body. */
export interface ErrorBody {
  readonly code: RpcCode | undefined;
  readonly message: string;
  readonly details: ReadonlyArray<ErrorDetail>;
  readonly requestId?: string;
}

/** Decodes an error body, whatever its Content-Type; undefined for HTML, text and empty bodies. Throws LimitExceeded. */
const readErrorBody = (
  answer: HttpResponse,
  limits: ReadLimits,
  binary: BinaryErrors | undefined,
): ErrorBody | undefined => {
  if (answer.bytes.byteLength === 0) return undefined;
  const labelled = formatOf(answer.headers.get("content-type"));
  return labelled === "protobuf"
    ? (readProtobuf(answer.bytes, limits, binary) ?? readJson(answer.bytes, limits))
    : (readJson(answer.bytes, limits) ??
        (labelled === "json" ? readProtobuf(answer.bytes, limits, binary) : undefined));
};

const readProtobuf = (
  bytes: Uint8Array,
  limits: ReadLimits,
  binary: BinaryErrors | undefined,
): ErrorBody | undefined => {
  if (binary === undefined) return undefined;
  try {
    const status = binary.read(bytes, limits);
    const plausible = status.$unknown === undefined && rpcCodeOf(status.code) !== undefined && status.code !== 0;
    return plausible ? errorBodyOf(status) : undefined;
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw cause;
    return undefined;
  }
};

const errorBodyOf = (status: Status): ErrorBody => ({
  code: status.code === 0 ? undefined : rpcCodeOf(status.code),
  message: status.message,
  details: status.details.map(({ typeUrl, value }) => ({ type: messageName(typeUrl), binary: value })),
});

const lenientUtf8 = new TextDecoder();

const readJson = (bytes: Uint8Array, limits: ReadLimits): ErrorBody | undefined => {
  const maxDepth = limits.maxJsonDepth;
  let json: JsonValue;
  try {
    json = parseJson(bytes, limits, lenientUtf8);
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw cause;
    return undefined;
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  return "error" in json && typeof json["error"] === "object"
    ? readEnvelope(json, maxDepth)
    : readStatus(json, maxDepth);
};

/** google.rpc.Status in JSON. */
const readStatus = (json: JsonObject, maxDepth: number): ErrorBody => ({
  code: codeIn(json["code"]),
  message: textIn(json["message"]),
  details: readDetails(json["details"], maxDepth),
});

/** Omits details that are nested too deeply. */
const readDetails = (json: JsonValue | undefined, maxDepth: number): ReadonlyArray<ErrorDetail> =>
  Array.isArray(json) ? json.flatMap((detail) => (isWithin(detail, maxDepth - 2) ? readDetail(detail) : [])) : [];

const isWithin = (json: JsonValue, depth: number): boolean =>
  typeof json !== "object" ||
  json === null ||
  (depth > 0 && Object.values(json).every((child) => child === undefined || isWithin(child, depth - 1)));

const readDetail = (json: JsonValue): ReadonlyArray<ErrorDetail> => {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return [];
  const { "@type": typeUrl, ...fields } = json;
  return typeof typeUrl === "string" ? [{ type: messageName(typeUrl), json: fields }] : [];
};

const messageName = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf("/") + 1);

/**
 * The second envelope of this API: `{ok, requestId, message, error: {code, message, description}}`; and that of Google's
 * gateways, where `code` is the HTTP status: `{error: {code, message, status, details}}`.
 */
const readEnvelope = (json: JsonObject, maxDepth: number): ErrorBody => {
  const error = (json["error"] ?? {}) as JsonObject;
  const requestId = textIn(json["requestId"]);
  return {
    code: codeIn(error["code"]) ?? codeIn(error["status"]),
    message: textIn(error["description"]) || textIn(error["message"]) || textIn(json["message"]),
    details: readDetails(error["details"], maxDepth - 1),
    ...(requestId === "" ? {} : { requestId }),
  };
};

const textIn = (value: JsonValue | undefined): string => (typeof value === "string" ? value : "");

/** A gRPC code by number or name; undefined for others (an HTTP status, 0). */
const codeIn = (value: JsonValue | undefined): RpcCode | undefined => {
  const code = typeof value === "string" && !/^\d+$/.test(value) ? value.toUpperCase() : rpcCodeOf(Number(value));
  return code !== undefined && code !== "OK" && code in rpcCodes ? (code as RpcCode) : undefined;
};

/** Whether a failed request was certainly not carried out: refused with a wish to wait, or never connected. */
export const wasNotProcessed = ({ error, hintMs }: AttemptFailure): boolean => {
  const { reason, status } = error;
  if (reason._tag === "Unreachable") return reason.problem === "refused" || reason.problem === "dns";
  return (status === 429 || status === 503) && hintMs !== undefined;
};
