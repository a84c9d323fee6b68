// Decides: how engines are published, switched on and off, and deleted.
import { clone, create, isMessage, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { decodeJson, parseTag, type Version } from "@bytenite-engines/core/wire";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import {
  assertTag,
  engineColumns,
  insertEngineSql,
  rowOf,
  sealSecret,
  UnacceptableEngineError,
} from "../api/EngineRow.ts";
import { bytesOf, type User } from "../api/EngineStore.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { Row } from "../api/SqlPort.ts";
import type { Run, SqliteFile } from "../node/SqliteFile.ts";

/** What is given of an engine. Whatever is absent is filled in: id, revision, times, owner. */
export type EngineInit = MessageInitShape<typeof EngineSchema>;

/** What became of an engine that was published. */
export interface Published {
  readonly tag: string;
  readonly id: string;
  readonly revision: number;
  readonly created: boolean;
}

/** An engine that is ready to be written: complete but for what depends on what is there already. */
export interface PreparedEngine {
  readonly user: User;
  readonly engine: Engine;
  readonly version: Version;
  readonly secret: Uint8Array | null;
}

/** Checks an engine, makes it the user's, and seals its secret. Throws UnacceptableEngineError. */
export const prepareEngine = (user: User, init: EngineInit, box: SecretBox | undefined): Promise<PreparedEngine> =>
  // `create` gives a message back as it is; the caller's must stay as it was.
  prepareOwn(user, isMessage(init, EngineSchema) ? clone(EngineSchema, init) : create(EngineSchema, init), box);

/** The same for a message that nobody else holds: it is used up. */
export const prepareOwn = async (user: User, engine: Engine, box: SecretBox | undefined): Promise<PreparedEngine> => {
  engine.owner = user.id;
  engine.userName = user.name;
  const version = assertTag(engine);
  return { user, engine, version, secret: await sealSecret(engine, box) };
};

const updateSql = `UPDATE engines SET ${engineColumns.map((column) => `${column} = ?`).join(", ")} WHERE number = ?`;

const selectVersion = `SELECT number, json, secret FROM engines
  WHERE owner = ? AND name = ? AND major = ? AND minor = ? AND deleted_at IS NULL`;

/**
 * Publishes an engine inside a transaction. A version that exists already is overwritten: it keeps its id, its time of
 * creation, and its status and visibility unless the new one names them, and its revision goes up by one. The prepared
 * engine is used up by it. `expected` is a guess, and matters to speed alone.
 */
export const publish = (
  run: Run,
  prepared: PreparedEngine,
  now: number,
  expected: "new" | "known" = "known",
): Published => {
  const { engine, user, version } = prepared;
  const { status } = engine;
  // One that is deleted stands beside a live one of its version.
  if (expected === "new" && engine.deletedAt === undefined && isInserted(run, prepared, now))
    return outcome(engine, true);
  const [found] = run(selectVersion, user.number, engine.name, version.major, version.minor);
  if (found === undefined) {
    isInserted(run, prepared, now);
    return outcome(engine, true);
  }
  const before = engineOf(found);
  engine.id = before.id;
  engine.revision = before.revision + 1;
  engine.status = status || before.status;
  engine.isPublic ||= before.isPublic;
  engine.createdAt = before.createdAt ?? engine.createdAt ?? timestampFromMs(now);
  engine.updatedAt = timestampFromMs(now);
  run(updateSql, ...rowOf(engine, user.number, prepared.secret, version), Number(found["number"]));
  return outcome(engine, false);
};

/** Fills in what a new engine does not name, and inserts it unless its version is there. */
const isInserted = (run: Run, { engine, user, secret, version }: PreparedEngine, now: number): boolean => {
  engine.id ||= crypto.randomUUID();
  engine.revision ||= 1;
  engine.status ||= "inactive";
  engine.createdAt ??= timestampFromMs(now);
  engine.updatedAt ??= timestampFromMs(now);
  return run.change(insertEngineSql, ...rowOf(engine, user.number, secret, version)) > 0;
};

const outcome = ({ name, version, id, revision }: Engine, created: boolean): Published => ({
  tag: `${name}@${version}`,
  id,
  revision,
  created,
});

const engineOf = (row: Row): Engine => decodeJson(EngineSchema, JSON.parse(String(row["json"])) as JsonObject).message;

/** Publishes engines of a user: all or none. */
export const publishAll = async (
  file: SqliteFile,
  user: User,
  engines: ReadonlyArray<EngineInit>,
  box: SecretBox | undefined,
  now: number,
): Promise<ReadonlyArray<Published>> => {
  const prepared = await Promise.all(engines.map((engine) => prepareEngine(user, engine, box)));
  return file.transaction((run) => prepared.map((engine) => publish(run, engine, now)));
};

/** A change of one version of an engine. */
export type Change = "activate" | "deactivate" | "delete" | "make-public" | "make-private";

const changes: Readonly<Record<Change, (engine: Engine, now: number) => void>> = {
  activate: (engine) => void (engine.status = "active"),
  deactivate: (engine) => void (engine.status = "inactive"),
  delete: (engine, now) => void (engine.deletedAt = timestampFromMs(now)),
  "make-public": (engine) => void (engine.isPublic = true),
  "make-private": (engine) => void (engine.isPublic = false),
};

/** Changes the version that a tag means among the user's engines. Deleting is soft: the row stays, with `deletedAt`. */
export const change = (file: SqliteFile, user: User, text: string, how: Change, now: number): string =>
  file.transaction((run) => {
    const tag = parseTag(text);
    if (tag === undefined) throw new UnacceptableEngineError(`${JSON.stringify(text)} is not a tag`);
    const rows = run(
      `SELECT number, json, secret, major, minor FROM engines WHERE owner = ? AND name = ? AND deleted_at IS NULL ORDER BY major DESC, minor DESC`,
      user.number,
      tag.name,
    );
    const row = rows.find(({ major, minor }) => (tag.major ?? major) === major && (tag.minor ?? minor) === minor);
    if (row === undefined) throw new UnacceptableEngineError(`${user.name} has no engine ${text}`);
    const engine = engineOf(row);
    changes[how](engine, now);
    engine.updatedAt = timestampFromMs(now);
    run(updateSql, ...rowOf(engine, user.number, bytesOf(row["secret"]) ?? null), Number(row["number"]));
    return `${engine.name}@${engine.version}`;
  });
