// Decides: which failure an answer that is no success stands for.
import { fromBinary, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { StatusSchema, type Status } from "@bytenite-engines/proto";
import { EngineError, type EngineErrorReason, type ErrorDetail } from "./EngineError.ts";
import { formatOf } from "./MediaType.ts";
import { retryHintMs } from "./RetryHint.ts";
import { rpcCodeOf, rpcCodeOfHttp, rpcCodes, type RpcCode } from "./RpcCode.ts";
import { publicUrl, type ExchangeAnswer } from "./Transport.ts";

/** What is known of a failed request beside its error. */
export interface FailureCircumstances {
  /** What the server asks to wait, in milliseconds. */
  readonly hintMs?: number | undefined;
  /** The answer, where there was one. */
  readonly answer?: ExchangeAnswer;
  /** Whether it was already retried as often as may be, elsewhere. */
  readonly exhausted?: boolean;
}

/** One failed request. An Error, and its answer hidden, since exporters of spans write out whatever a span failed with. */
export class AttemptFailure extends Error {
  readonly error: EngineError;
  readonly hintMs: number | undefined;
  readonly exhausted: boolean;
  readonly #answer: ExchangeAnswer | undefined;
  constructor(error: EngineError, { hintMs, answer, exhausted = false }: FailureCircumstances = {}) {
    super(error.message);
    this.name = error.name;
    this.error = error;
    this.hintMs = hintMs;
    this.exhausted = exhausted;
    this.#answer = answer;
  }

  get answer(): ExchangeAnswer | undefined {
    return this.#answer;
  }
}

/** Longest message of a server that is kept, in characters. */
export const maxServerMessageLength = 1_000;

/** The failure in an answer. `secret` is blotted out wherever the server repeats it. */
export const failureOf = (answer: ExchangeAnswer, nowMs: number, secret?: string): AttemptFailure => {
  const said = readErrorBody(answer);
  const code = said?.code ?? rpcCodeOfHttp(answer.status);
  const hintMs = retryHintMs(answer.headers, said?.details ?? [], nowMs);
  // A server may repeat a token without the scheme it was sent with.
  const bare = secret?.trim().split(" ").at(-1);
  // Blotted out before it is cut: a part of a token is a secret, too.
  const message = blotted(said?.message ?? "", bare)
    .trim()
    .slice(0, maxServerMessageLength);
  const requestId = requestIdOf(answer.headers) ?? said?.requestId;
  const details = (said?.details ?? []).flatMap((detail) => blottedDetail(detail, bare));
  const error = new EngineError({
    reason: reasonOf(code, answer.status, hintMs),
    url: publicUrl(answer.url),
    attempts: 1,
    status: answer.status,
    code,
    details,
    ...(message === "" ? {} : { serverMessage: message }),
    ...(requestId === undefined ? {} : { requestId }),
  });
  return new AttemptFailure(error, { hintMs, answer });
};

/** Shorter tokens are no secrets, and would blot out innocent words. */
const minSecretLength = 6;

const blotted = (text: string, secret: string | undefined): string =>
  secret === undefined || secret.length < minSecretLength ? text : text.replaceAll(secret, "<redacted>");

/** Bytes cannot be blotted out without being spoiled: a binary detail that repeats the secret is left out. */
const blottedDetail = (detail: ErrorDetail, secret: string | undefined): ReadonlyArray<ErrorDetail> => {
  const { json, binary } = detail;
  const text = json === undefined ? new TextDecoder().decode(binary) : JSON.stringify(json);
  const clean = blotted(text, secret);
  if (clean === text) return [detail];
  return json === undefined ? [] : [{ ...detail, json: JSON.parse(clean) as JsonObject }];
};

/** The id under which the server knows the request, by the usual headers. */
export const requestIdOf = (headers: Headers): string | undefined =>
  headers.get("x-request-id") ?? headers.get("request-id") ?? headers.get("grpc-metadata-x-request-id") ?? undefined;

const reasonOf = (code: RpcCode, status: number, retryAfterMs: number | undefined): EngineErrorReason => {
  const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
  switch (code) {
    case "INVALID_ARGUMENT":
    case "OUT_OF_RANGE":
      return { _tag: "InvalidArgument" };
    case "FAILED_PRECONDITION":
      return status === 400 || status < 300 ? { _tag: "InvalidArgument" } : { _tag: "Rejected" };
    case "UNAUTHENTICATED":
      return { _tag: "Unauthenticated" };
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

interface ErrorBody {
  readonly code: RpcCode | undefined;
  readonly message: string;
  readonly details: ReadonlyArray<ErrorDetail>;
  readonly requestId?: string;
}

/** What the body says, in either form, whatever its label; undefined when it is neither (HTML, text, nothing). */
const readErrorBody = (answer: ExchangeAnswer): ErrorBody | undefined => {
  if (answer.bytes.byteLength === 0) return undefined;
  const labelled = formatOf(answer.headers.get("content-type"));
  return labelled === "protobuf"
    ? (readProtobuf(answer.bytes) ?? readJson(answer.bytes))
    : (readJson(answer.bytes) ?? (labelled === "json" ? readProtobuf(answer.bytes) : undefined));
};

const readProtobuf = (bytes: Uint8Array): ErrorBody | undefined => {
  try {
    const status = fromBinary(StatusSchema, bytes);
    const plausible = status.$unknown === undefined && rpcCodeOf(status.code) !== undefined && status.code !== 0;
    return plausible ? errorBodyOf(status) : undefined;
  } catch {
    return undefined;
  }
};

const errorBodyOf = (status: Status): ErrorBody => ({
  code: status.code === 0 ? undefined : rpcCodeOf(status.code),
  message: status.message,
  details: status.details.map(({ typeUrl, value }) => ({ type: messageName(typeUrl), binary: value })),
});

const readJson = (bytes: Uint8Array): ErrorBody | undefined => {
  let json: JsonValue;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes)) as JsonValue;
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  return "error" in json && typeof json["error"] === "object" ? readEnvelope(json) : readStatus(json);
};

/** google.rpc.Status in JSON. */
const readStatus = (json: JsonObject): ErrorBody => ({
  code: codeIn(json["code"]),
  message: textIn(json["message"]),
  details: Array.isArray(json["details"]) ? json["details"].flatMap(readDetail) : [],
});

const readDetail = (json: JsonValue): ReadonlyArray<ErrorDetail> => {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return [];
  const { "@type": typeUrl, ...fields } = json;
  return typeof typeUrl === "string" ? [{ type: messageName(typeUrl), json: fields }] : [];
};

const messageName = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf("/") + 1);

/** The second envelope of this API: `{ok, requestId, message, error: {code, message, description}}`. */
const readEnvelope = (json: JsonObject): ErrorBody => {
  const error = (json["error"] ?? {}) as JsonObject;
  const requestId = textIn(json["requestId"]);
  return {
    code: codeIn(error["code"]),
    message: textIn(error["description"]) || textIn(error["message"]) || textIn(json["message"]),
    details: [],
    ...(requestId === "" ? {} : { requestId }),
  };
};

const textIn = (value: JsonValue | undefined): string => (typeof value === "string" ? value : "");

/** A gRPC code by number or by name; anything else (an HTTP status, 0) says nothing. */
const codeIn = (value: JsonValue | undefined): RpcCode | undefined => {
  const code = typeof value === "string" && !/^\d+$/.test(value) ? value.toUpperCase() : rpcCodeOf(Number(value));
  return code !== undefined && code !== "OK" && code in rpcCodes ? (code as RpcCode) : undefined;
};
