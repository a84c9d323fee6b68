// Stored form of an engine: searchable columns and both formats.
import { clone, create, toBinary, type JsonObject } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { decodeJson, encodeJson, parseTag, parseVersion, type Version } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema, PlatformConfigSchema, type Engine } from "@bytenite-engines/proto";
import type { SecretBox } from "./SecretBox.ts";
import type { SqlValue } from "./SqlDriver.ts";

/** An engine that cannot be stored; the message names it and the reason. */
export class UnacceptableEngineError extends Error {
  override readonly name = "UnacceptableEngineError";
}

/** The columns of an engine, in the order of `engineColumns`. */
export type EngineRow = ReadonlyArray<SqlValue>;

/** The columns that `rowOf` gives values for. */
export const engineColumns = [
  "id",
  "owner",
  "name",
  "major",
  "minor",
  "status",
  "is_public",
  "revision",
  "created_at",
  "updated_at",
  "deleted_at",
  "secret",
  "json",
  "protobuf",
] as const;

/** Inserts the row of a new engine; changes nothing where its owner has that version already. */
export const insertEngineSql = `INSERT INTO engines (${engineColumns.join(", ")}) VALUES (${engineColumns.map(() => "?").join(", ")})
  ON CONFLICT (owner, name, major, minor) WHERE deleted_at IS NULL DO NOTHING`;

/** Writes an engine over the one of a row, by the number of the row. */
export const updateEngineSql = `UPDATE engines SET ${engineColumns.map((column) => `${column} = ?`).join(", ")} WHERE number = ?`;

/** The engine that an encrypted secret is bound to. */
export const secretPlace = (owner: string, name: string, version: string): string => `${owner}/${name}@${version}`;

/** Encrypts the secret of an engine, if any. Throws without a key. */
export const sealSecret = async (
  { token, owner, name, version }: EngineSecret,
  box: SecretBox | undefined,
): Promise<Uint8Array | null> => {
  if (token === "") return null;
  if (box === undefined) {
    throw new UnacceptableEngineError(
      `${name}@${version} has a platform_config.token: set BYTENITE_REGISTRY_KEY, with which it is encrypted`,
    );
  }
  return box.seal(token, secretPlace(owner, name, version));
};

/** The secret of an engine ("" for none) and its owner. */
export interface EngineSecret {
  readonly token: string;
  readonly owner: string;
  readonly name: string;
  readonly version: string;
}

/** The version of an engine whose name and version make a tag. Throws UnacceptableEngineError for any other. */
export const assertTag = (engine: Engine): Version => {
  const version = parseVersion(engine.version);
  if (version === undefined) {
    throw new UnacceptableEngineError(`version ${JSON.stringify(engine.version)} is not major.minor`);
  }
  const tag = parseTag(engine.name);
  if (tag === undefined || tag.major !== undefined) {
    throw new UnacceptableEngineError(
      `name ${JSON.stringify(engine.name.slice(0, 100))} is not 1 to 64 letters, digits, - or _`,
    );
  }
  return version;
};

/** The row of an engine, whose owner's row is `owner`; `secret` is what `sealSecret` made of it. Throws UnacceptableEngineError. */
export const rowOf = (engine: Engine, owner: number, secret: Uint8Array | null): EngineRow => {
  const open = withoutSecret(engine);
  return rowWith({ engine: open, version: assertTag(open), owner }, secret, toBinary(EngineSchema, open));
};

/** Largest revision (int32). */
export const largestRevision = 2 ** 31 - 1;

/** The engine of a row, by its column `json`. */
export const engineOf = (json: unknown): Engine =>
  decodeJson(EngineSchema, JSON.parse(String(json)) as JsonObject).message;

/** Input of a row, without the secret. */
export interface RowParts {
  readonly engine: Engine;
  readonly version: Version;
  /** Number of its owner's row. */
  readonly owner: number;
}

/**
 * The same for many that hold no secret: their protobuf is written in one piece, of which each row holds a part, since memory
 * for each would cost more than the writing.
 */
export const rowsOf = (parts: ReadonlyArray<RowParts>): ReadonlyArray<EngineRow> => {
  const list = create(EngineListResponseSchema);
  for (const { engine } of parts) list.engines.push(engine);
  const reader = new BinaryReader(toBinary(EngineListResponseSchema, list));
  return parts.map((one) => {
    reader.tag();
    return rowWith(one, null, reader.bytes());
  });
};

const rowWith = (
  { engine: open, version, owner }: RowParts,
  secret: Uint8Array | null,
  protobuf: Uint8Array,
): EngineRow => {
  return [
    open.id,
    owner,
    open.name,
    version.major,
    version.minor,
    open.status,
    open.isPublic ? 1 : 0,
    open.revision,
    open.createdAt === undefined ? 0 : timestampMs(open.createdAt),
    open.updatedAt === undefined ? 0 : timestampMs(open.updatedAt),
    open.deletedAt === undefined ? null : timestampMs(open.deletedAt),
    secret,
    JSON.stringify(encodeJson(EngineSchema, open)),
    protobuf,
  ];
};

const withoutSecret = (engine: Engine): Engine => {
  const { platformConfig } = engine;
  return platformConfig === undefined ? engine : { ...engine, platformConfig: { ...platformConfig, token: "" } };
};

/** The engine with its secret put back. */
export const withSecret = (engine: Engine, token: string): Engine => {
  const whole = clone(EngineSchema, engine);
  whole.platformConfig ??= create(PlatformConfigSchema);
  whole.platformConfig.token = token;
  return whole;
};
