// Response bodies of list, get and status.
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { decode, encodeJson, type Format } from "@bytenite-engines/core/wire";
import {
  EngineListResponseSchema,
  EngineMessageSchema,
  EngineSchema,
  PaginatedResponseSchema,
  type Engine,
} from "@bytenite-engines/proto";
import type { StoredEngine, StoredForm } from "./EngineStore.ts";
import { engineOf, secretPlace, withSecret } from "./EngineRow.ts";
import type { paginationOf } from "./Page.ts";
import type { SecretBox } from "./SecretBox.ts";
import type { SqlDriver } from "./SqlDriver.ts";
import type { Serializer } from "./Serializer.ts";

/** A body: JSON as text, protobuf as bytes. */
export type Body = string | Uint8Array;

/** The form to read from the database for an answer: another numbering is made from the JSON. */
export const storedFormFor = (
  serializer: Serializer,
  format: Format,
  { bytesAsHex = false }: SqlDriver,
): StoredForm => {
  if (readFormat(serializer, format) === "json") return "json";
  return bytesAsHex ? "hex" : "protobuf";
};

/** One engine. Kept bytes go out as they are, unless they need their secret or another numbering. */
export const engineBody = async (
  serializer: Serializer,
  stored: StoredEngine,
  format: Format,
  box: SecretBox | undefined,
): Promise<Body> => {
  if (stored.secret !== undefined && box !== undefined) {
    return serializer.encode(EngineSchema, await opened(stored, stored.secret, box), format);
  }
  if (format === "json") return stored.json ?? "";
  if (serializer.encodeJsonText !== undefined) return serializer.encodeJsonText(EngineSchema, stored.json ?? "");
  return stored.protobuf ?? new Uint8Array();
};

const opened = async (stored: StoredEngine, secret: Uint8Array, box: SecretBox): Promise<Engine> => {
  const engine =
    stored.json === undefined
      ? decode(EngineSchema, stored.protobuf ?? new Uint8Array(), "protobuf")
      : engineOf(stored.json);
  return withSecret(engine, await box.open(secret, secretPlace(engine.owner, engine.name, engine.version)));
};

/** A page of engines: the engines' own bytes, joined as the message that holds them would be written. */
export const listBody = async (
  serializer: Serializer,
  engines: ReadonlyArray<StoredEngine>,
  pagination: ReturnType<typeof paginationOf>,
  format: Format,
  box: SecretBox | undefined,
): Promise<Body> => {
  const parts = engines.some(({ secret }) => secret !== undefined)
    ? await Promise.all(engines.map((engine) => engineBody(serializer, engine, readFormat(serializer, format), box)))
    : engines.map((engine) => (engine.json ?? engine.protobuf) as Body);
  const message = create(PaginatedResponseSchema, pagination);
  if (readFormat(serializer, format) === "json") {
    const json = `{"engines":[${parts.join(",")}],"pagination":${JSON.stringify(encodeJson(PaginatedResponseSchema, message))}}`;
    return format === "json" || serializer.encodeJsonText === undefined
      ? json
      : serializer.encodeJsonText(EngineListResponseSchema, json);
  }
  const writer = new BinaryWriter();
  for (const part of parts) writer.tag(enginesField, WireType.LengthDelimited).bytes(part as Uint8Array);
  return writer
    .raw(toBinary(EngineListResponseSchema, create(EngineListResponseSchema, { pagination: message })))
    .finish();
};

const readFormat = (serializer: Serializer, format: Format): Format =>
  serializer.encodeJsonText === undefined ? format : "json";

const enginesField = EngineListResponseSchema.field.engines.number;

/** The status of an engine: which one the tag meant, and how it is. */
export const statusBody = (
  serializer: Serializer,
  engine: { readonly id: string; readonly tag: string; readonly status: string },
  format: Format,
): Body => {
  const message = create(EngineMessageSchema, {
    engineId: engine.id,
    engineTag: engine.tag,
    engineStatus: engine.status,
  });
  return serializer.encode(EngineMessageSchema, message, format);
};
