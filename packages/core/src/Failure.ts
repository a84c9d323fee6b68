// Error responses as EngineError.
import type { JsonObject } from "@bufbuild/protobuf";
import { EngineError, type EngineErrorFields, type EngineErrorReason, type ErrorDetail } from "./EngineError.ts";
import { readErrorBody, type ErrorBody } from "./ErrorBody.ts";
import { defaultReadLimits, LimitExceeded, type ReadLimits } from "./ReadLimits.ts";
import { retryHintMs } from "./RetryHint.ts";
import { rpcCodeOfHttp, type RpcCode } from "./RpcCode.ts";
import { redact } from "./Secret.ts";
import type { ResponseHeaders } from "./Fetch.ts";
import { publicUrl, type HttpResponse } from "./Transport.ts";

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

/** The failure in an answer. `secrets`, the credentials of the request, are redacted wherever the server repeats them. */
export const failureOf = (
  answer: HttpResponse,
  nowMs: number,
  secrets: ReadonlyArray<string> = [],
  limits: ReadLimits = defaultReadLimits,
): AttemptFailure => {
  let said: ErrorBody | undefined;
  try {
    said = readErrorBody(answer, limits);
  } catch (cause) {
    if (!(cause instanceof LimitExceeded)) throw cause;
    return tooLarge(answer, cause, secrets);
  }
  const code = said?.code ?? rpcCodeOfHttp(answer.status);
  const hintMs = retryHintMs(answer.headers, said?.details ?? [], nowMs);
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
