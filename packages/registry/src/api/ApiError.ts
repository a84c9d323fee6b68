// API errors as google.rpc.Status in the negotiated format.
import { create, createRegistry, toBinary, toJson, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { httpStatusOf, rpcCodes, type Format, type RpcCode } from "@bytenite-engines/core/wire";
import { RetryInfoSchema, StatusSchema, type StatusJson } from "@bytenite-engines/proto";
import { StorageUnavailable } from "../archive/ArchiveStore.ts";
import { DatabaseUnavailable } from "./SqlDriver.ts";

const detailTypes = createRegistry(RetryInfoSchema);

/** Fields of an error in addition to code and message. */
export interface ApiErrorOptions {
  /** The HTTP status, where it is not the one of the code. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Adds a `google.rpc.RetryInfo` detail. */
  readonly retryDelayMs?: number;
}

/** An error response. The message is for the client. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: RpcCode;
  readonly options: ApiErrorOptions;
  constructor(code: RpcCode, message: string, options: ApiErrorOptions = {}) {
    super(message);
    this.code = code;
    this.options = options;
  }
  get status(): number {
    return this.options.status ?? httpStatusOf(this.code);
  }
}

/** The Status of an error as bytes or text. */
export const statusBody = (
  code: RpcCode,
  message: string,
  format: Format,
  retryDelayMs?: number,
): string | Uint8Array => {
  const details =
    retryDelayMs === undefined
      ? []
      : [anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) }))];
  const init: MessageInitShape<typeof StatusSchema> = { code: rpcCodes[code], message, details };
  const status = create(StatusSchema, init);
  if (format === "protobuf") return toBinary(StatusSchema, status);
  const json = toJson(StatusSchema, status, { registry: detailTypes }) as StatusJson;
  return JSON.stringify({ code: rpcCodes[code], message, details: json.details ?? [] });
};

/** `Retry-After` in seconds when database or storage fail. */
export const databaseRetrySeconds = 5;

/** The error response of an error: ApiError unchanged, 503 for a failing database or storage, else INTERNAL. */
export const apiErrorOf = (error: unknown): ApiError => {
  if (error instanceof ApiError) return error;
  if (error instanceof DatabaseUnavailable || error instanceof StorageUnavailable) {
    return new ApiError("UNAVAILABLE", error.message, {
      headers: { "Retry-After": String(databaseRetrySeconds) },
      retryDelayMs: databaseRetrySeconds * 1_000,
    });
  }
  return new ApiError("INTERNAL", "internal error");
};

/** The error of a body that is too long. */
export const bodyTooLong = (maxBytes: number): ApiError =>
  new ApiError("INVALID_ARGUMENT", `body is longer than ${maxBytes} bytes`, { status: 413 });
