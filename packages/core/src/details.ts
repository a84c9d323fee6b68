// Typed error details.
import { fromJson, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { readCounted } from "./CountedMessage.ts";
import type { EngineError } from "./EngineError.ts";
import { attempted, defaultReadLimits } from "./ReadLimits.ts";

/**
 * The details of an error that are of one type, e.g. `findDetails(error, ErrorInfoSchema)` with a schema of
 * `@bytenite-engines/proto`. One that cannot be read as its type, or has more items than
 * `maxItems` is by default, is left out.
 */
export const findDetails = <D extends DescMessage>(error: EngineError, schema: D): ReadonlyArray<MessageShape<D>> =>
  error.details.flatMap(({ type, binary, json }) => {
    if (type !== schema.typeName) return [];
    const read = (): MessageShape<D> =>
      binary === undefined
        ? fromJson(schema, json ?? {}, { ignoreUnknownFields: true })
        : readCounted(schema, binary, defaultReadLimits);
    return attempted(read, true) ?? [];
  });
