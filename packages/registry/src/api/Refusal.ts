// Decides: how a call that is not answered with data is answered: google.rpc.Status in the negotiated form.
import { create, createRegistry, toBinary, toJson, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { httpStatusOf, rpcCodes, type Format, type RpcCode } from "@bytenite-engines/core/wire";
import { RetryInfoSchema, StatusSchema, type StatusJson } from "@bytenite-engines/proto";

const detailTypes = createRegistry(RetryInfoSchema);

/** What a refusal says beside its code and message. */
export interface RefusalOptions {
  /** The HTTP status, where it is not the one of the code. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Adds a `google.rpc.RetryInfo` detail. */
  readonly retryDelayMs?: number;
}

/** A call that is refused. Thrown anywhere below the routes, answered in one place. The message is for the caller. */
export class Refusal extends Error {
  readonly code: RpcCode;
  readonly options: RefusalOptions;
  constructor(code: RpcCode, message: string, options: RefusalOptions = {}) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.options = options;
  }
  get status(): number {
    return this.options.status ?? httpStatusOf(this.code);
  }
}

/** The Status of a refusal as bytes or text. */
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
