// Calls of the engines API as effects, for both entries.
import type * as Effect from "effect/Effect";
import type { ApiResponse, EngineArchive } from "../ApiResponse.ts";
import type { CallOptions } from "../ClientOptions.ts";
import { withPartsOfCall, type ClientParts } from "../ClientParts.ts";
import type { EndpointName } from "../Endpoint.ts";
import type { EngineError } from "../EngineError.ts";
import type { EngineRpcs, MessageParams } from "../Parameters.ts";
import { openArchive } from "./EngineArchive.ts";
import { callTag, list, remove } from "./EngineCalls.ts";
import { upload } from "./EngineUpload.ts";

/** One method for each call. */
export type EngineMethods = {
  readonly [N in keyof EngineRpcs<CallOptions>]: (
    ...args: Parameters<EngineRpcs<CallOptions>[N]>
  ) => Effect.Effect<ApiResponse<ReturnType<EngineRpcs<CallOptions>[N]>>, EngineError>;
};

const messageNames = ["engineId", "engineData", "engineLink", "engineStatus"];
const changeNames = [...messageNames, "ifRevision"];
const uploadNames = ["tag", "activate", "engineId", "ifRevision"];

type Call<A> = Effect.Effect<A, EngineError>;

/** The methods of a client, and its archives. `others`: names of further options of the entry. */
export const engineMethods = (
  parts: ClientParts,
  others: ReadonlyArray<string> = [],
): {
  readonly methods: EngineMethods;
  readonly archive: (tag: string, options?: CallOptions & MessageParams) => Call<EngineArchive>;
} => {
  const within = <A>(
    options: CallOptions | undefined,
    names: ReadonlyArray<string>,
    call: (own: ClientParts) => Call<A>,
  ): Call<A> => withPartsOfCall(parts, options, [...others, ...names], call);
  const methods: EngineMethods & Readonly<Record<EndpointName, unknown>> = {
    list: (params, options) => within(options, [], (own) => list(own, params)),
    get: (tag, options) => within(options, messageNames, (own) => callTag(own, "get", tag, options)),
    status: (tag, options) => within(options, messageNames, (own) => callTag(own, "status", tag, options)),
    upload: (archive, options) => within(options, uploadNames, (own) => upload(own, archive, options)),
    activate: (tag, options) => within(options, changeNames, (own) => callTag(own, "activate", tag, options)),
    deactivate: (tag, options) => within(options, changeNames, (own) => callTag(own, "deactivate", tag, options)),
    download: (tag, options) => within(options, changeNames, (own) => callTag(own, "download", tag, options)),
    delete: (tag, options) => within(options, ["ifRevision"], (own) => remove(own, tag, options)),
  };
  return {
    methods,
    archive: (tag, options) => within(options, messageNames, (own) => openArchive(own, tag, options)),
  };
};
