// Error responses as EngineError.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { EngineError, type EngineErrorFields, type EngineErrorReason, type ErrorDetail } from "./EngineError.ts";
import { attempted, defaultReadLimits, LimitExceeded, parseJson, type ReadLimits } from "./ReadLimits.ts";
import { retryHintMs } from "./RetryHint.ts";
import { rpcCodeOfHttp, type RpcCode, rpcCodeOf, rpcCodes } from "./RpcCode.ts";
import { redact } from "./Secret.ts";
import type { ResponseHeaders } from "./Fetch.ts";
import { publicUrl, type HttpResponse } from "./Transport.ts";
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

/** One failed request. The response is in a private field, since span exporters print all others. */
export class AttemptFailure extends Error {
  readonly error: EngineError;
  readonly #circumstances: FailureCircumstances;
  constructor(error: EngineError, circumstances: FailureCircumstances = {}) {
    super(error.message);
    this.name = error.name;
    this.error = error;
    this.#circumstances = circumstances;
  }

  /** The same failure with other details. */
  with(fields: Partial<EngineErrorFields>): AttemptFailure {
    return new AttemptFailure(this.error.with(fields), this.#circumstances);
  }

  get hintMs(): number | undefined {
    return this.#circumstances.hintMs;
  }

  get exhausted(): boolean {
    return this.#circumstances.exhausted === true;
  }

  get answer(): HttpResponse | undefined {
    return this.#circumstances.answer;
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

/** Reasons that follow from the code alone. */
const reasons: Readonly<Partial<Record<RpcCode, EngineErrorReason>>> = {
  INVALID_ARGUMENT: { _tag: "InvalidArgument" },
  OUT_OF_RANGE: { _tag: "InvalidArgument" },
  PERMISSION_DENIED: { _tag: "PermissionDenied" },
  NOT_FOUND: { _tag: "NotFound" },
  ALREADY_EXISTS: { _tag: "Conflict" },
  ABORTED: { _tag: "Conflict" },
  UNIMPLEMENTED: { _tag: "Unimplemented" },
  DATA_LOSS: { _tag: "DataLoss" },
};

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
    case "FAILED_PRECONDITION":
      return { _tag: status === 400 || status < 300 ? "InvalidArgument" : "Rejected" };
    case "UNAUTHENTICATED":
      return noneSent ? { _tag: "Unauthenticated", noneSent } : { _tag: "Unauthenticated" };
    case "RESOURCE_EXHAUSTED":
      return { _tag: "RateLimited", ...hint };
    case "UNAVAILABLE":
      return { _tag: "Unavailable", ...hint };
    case "UNKNOWN":
    case "INTERNAL":
    case "DEADLINE_EXCEEDED":
      return status >= 500 || status === 408 || status === 429
        ? { _tag: "Unavailable", ...hint }
        : { _tag: "Rejected" };
    default:
      return reasons[code] ?? { _tag: "Rejected" };
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
  { bytes, headers }: HttpResponse,
  limits: ReadLimits,
  binary: BinaryErrors | undefined,
): ErrorBody | undefined => {
  const labelled = formatOf(headers.get("content-type"));
  if (labelled === "protobuf") return readProtobuf(bytes, limits, binary) ?? readJson(bytes, limits);
  return readJson(bytes, limits) ?? (labelled === "json" ? readProtobuf(bytes, limits, binary) : undefined);
};

const readProtobuf = (
  bytes: Uint8Array,
  limits: ReadLimits,
  binary: BinaryErrors | undefined,
): ErrorBody | undefined => {
  const status = attempted(() => binary?.read(bytes, limits));
  const code = status === undefined ? undefined : rpcCodeOf(status.code);
  if (status === undefined || status.$unknown !== undefined || code === undefined || code === "OK") return undefined;
  const details = status.details.map(({ typeUrl, value }) => ({ type: messageName(typeUrl), binary: value }));
  return { code, message: status.message, details };
};

const lenientUtf8 = new TextDecoder();

/**
 * A google.rpc.Status; the second envelope of this API, `{ok, requestId, message, error: {code, message, description}}`; and that of
 * Google's gateways, where `code` is the HTTP status: `{error: {code, message, status, details}}`.
 */
const readJson = (bytes: Uint8Array, limits: ReadLimits): ErrorBody | undefined => {
  const json = attempted(() => parseJson(bytes, limits, lenientUtf8));
  if (!isObject(json)) return undefined;
  const isEnvelope = typeof json["error"] === "object";
  const status = isEnvelope ? ((json["error"] ?? {}) as JsonObject) : json;
  const requestId = isEnvelope ? textIn(json["requestId"]) : "";
  return {
    code: codeIn(status["code"]) ?? (isEnvelope ? codeIn(status["status"]) : undefined),
    message: (isEnvelope && textIn(status["description"])) || textIn(status["message"]) || textIn(json["message"]),
    details: readDetails(status["details"], limits.maxJsonDepth - (isEnvelope ? 3 : 2)),
    ...(requestId === "" ? {} : { requestId }),
  };
};

const isObject = (json: JsonValue | undefined): json is JsonObject =>
  typeof json === "object" && json !== null && !Array.isArray(json);

/** Omits details that are nested too deeply. */
const readDetails = (json: JsonValue | undefined, maxDepth: number): ReadonlyArray<ErrorDetail> => {
  if (!Array.isArray(json)) return [];
  return json.flatMap((detail) => {
    if (!isObject(detail) || !isWithin(detail, maxDepth)) return [];
    const { "@type": typeUrl, ...fields } = detail;
    return typeof typeUrl === "string" ? [{ type: messageName(typeUrl), json: fields }] : [];
  });
};

const isWithin = (json: JsonValue, depth: number): boolean =>
  typeof json !== "object" ||
  json === null ||
  (depth > 0 && Object.values(json).every((child) => child === undefined || isWithin(child, depth - 1)));

const messageName = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf("/") + 1);

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
