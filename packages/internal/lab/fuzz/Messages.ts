// Choice of the message that an input is decoded as.
import type { DescMessage } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema, StatusSchema } from "@bytenite-engines/proto";

const schemas: ReadonlyArray<DescMessage> = [EngineListResponseSchema, EngineSchema, EngineMessageSchema, StatusSchema];

/** The first byte chooses the message; the rest is for its reader. */
export const messageIn = (data: Uint8Array): { readonly schema: DescMessage; readonly bytes: Uint8Array } => ({
  schema: schemas[(data[0] ?? 0) % schemas.length] ?? EngineSchema,
  // Of the kind that fields of bytes are read as: no Buffer of Node's, which would not be equal.
  bytes: new Uint8Array(data).subarray(1),
});
