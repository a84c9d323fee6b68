// Error bodies in the formats of servers and gateways.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Status } from "@bytenite-engines/proto";
import { StatusSchema } from "./gen/descriptors.ts";
import type { ErrorDetail } from "./EngineError.ts";
import { formatOf } from "./MediaType.ts";
import { readMessage } from "./MessageReader.ts";
import { LimitExceeded, parseJson, type ReadLimits } from "./ReadLimits.ts";
import { rpcCodeOf, rpcCodes, type RpcCode } from "./RpcCode.ts";
import type { HttpResponse } from "./Transport.ts";

/** A decoded error body. */
export interface ErrorBody {
  readonly code: RpcCode | undefined;
  readonly message: string;
  readonly details: ReadonlyArray<ErrorDetail>;
  readonly requestId?: string;
}

/** Decodes an error body, whatever its Content-Type; undefined for HTML, text and empty bodies. Throws LimitExceeded. */
export const readErrorBody = (answer: HttpResponse, limits: ReadLimits): ErrorBody | undefined => {
  if (answer.bytes.byteLength === 0) return undefined;
  const labelled = formatOf(answer.headers.get("content-type"));
  return labelled === "protobuf"
    ? (readProtobuf(answer.bytes, limits) ?? readJson(answer.bytes, limits))
    : (readJson(answer.bytes, limits) ?? (labelled === "json" ? readProtobuf(answer.bytes, limits) : undefined));
};

const readProtobuf = (bytes: Uint8Array, limits: ReadLimits): ErrorBody | undefined => {
  try {
    const status = readMessage(StatusSchema, bytes, limits);
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
