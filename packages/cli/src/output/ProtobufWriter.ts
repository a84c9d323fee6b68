// Records as protobuf; loads the descriptors.
import { toBinary } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import type { ApiMessage, RecordWriter, Shape, Write } from "./Shape.ts";

const bytesOf = (message: ApiMessage): Uint8Array => {
  switch (message.$typeName) {
    case "bytenite.engine.Engine":
      return toBinary(EngineSchema, message);
    case "bytenite.developer.EngineListResponse":
      return toBinary(EngineListResponseSchema, message);
    case "bytenite.developer.EngineMessage":
      return toBinary(EngineMessageSchema, message);
  }
};

/** Concatenates the bytes of the records: repeated fields merge, so a list is one message. */
export const protobufWriter = ({ document }: Shape, write: Write): RecordWriter => ({
  write: async (records) => {
    for (const { message } of records) if (message !== undefined) await write(bytesOf(message));
  },
  end: async () => {
    const rest = typeof document === "object" ? document.restMessage?.() : undefined;
    if (rest !== undefined) await write(bytesOf(rest));
  },
});
