// All calls of the engines API as effects, for both full entries.
import type * as Effect from "effect/Effect";
import type { EngineArchive } from "../ApiResponse.ts";
import type { CallOptions, ClientOptions } from "../ClientOptions.ts";
import { makeClientParts, withPartsOfCall } from "../ClientParts.ts";
import type { EndpointName } from "../Endpoint.ts";
import type { EngineError } from "../EngineError.ts";
import type { MessageParams } from "../Parameters.ts";
import type { Tracing } from "../AttemptPlan.ts";
import { openArchive } from "./EngineArchive.ts";
import { messageNames, shortMethods, type EngineMethods, type EngineParts } from "./EngineCalls.ts";
import { engineCodec } from "./EngineCodec.ts";
import { upload } from "./EngineUpload.ts";
import { receiver } from "./VerifiedResponse.ts";

/** The parts of a client with protobuf and JSON. Throws as `makeClientParts` does. */
export const makeEngineParts = (options: ClientOptions, tracing?: Tracing): EngineParts => ({
  ...makeClientParts(options, ["protobufVerification"], tracing),
  wire: { codec: engineCodec, receive: receiver(options.protobufVerification) },
});

const uploadNames = ["tag", "activate", "engineId", "ifRevision"];

/** The methods of a client, and its archives. `others`: names of further options of the entry. */
export const engineMethods = (
  parts: EngineParts,
  others: ReadonlyArray<string> = [],
): {
  readonly methods: EngineMethods;
  readonly archive: (tag: string, options?: CallOptions & MessageParams) => Effect.Effect<EngineArchive, EngineError>;
} => {
  const methods: EngineMethods & Readonly<Record<EndpointName, unknown>> = {
    ...shortMethods(parts, others),
    upload: (archive, options) =>
      withPartsOfCall(parts, options, [...others, ...uploadNames], (own) => upload(own, archive, options)),
  };
  return {
    methods,
    archive: (tag, options) =>
      withPartsOfCall(parts, options, [...others, ...messageNames], (own) => openArchive(own, tag, options)),
  };
};
