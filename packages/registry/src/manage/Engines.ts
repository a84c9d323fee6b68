// Publishing, activation and deletion of engines.
import { clone, create, fromBinary, isMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { parseTag } from "@bytenite-engines/core/wire";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import {
  engineColumns,
  assertTag,
  engineOf,
  insertEngineSql,
  largestRevision,
  rowOf,
  rowsOf,
  sealSecret,
  updateEngineSql,
  UnacceptableEngineError,
  type EngineRow,
  type EngineSecret,
  type RowParts,
} from "../api/EngineRow.ts";
import { bytesOf, tagIn, type User } from "../api/EngineStore.ts";
import { newestValues, statements } from "../api/Statements.ts";
import { noteChange } from "./Accounts.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { SqlValue } from "../api/SqlDriver.ts";
import type { Run, SqliteFile } from "../node/SqliteFile.ts";

/** Given fields of an engine. Absent ones are filled in: id, revision, times, owner. */
export type EngineInit = MessageInitShape<typeof EngineSchema>;

/** Result of publishing an engine. */
export interface Published {
  readonly tag: string;
  readonly id: string;
  readonly revision: number;
  readonly created: boolean;
}

/** An engine ready to be inserted. Plain data, since another thread may have made it. */
export interface PreparedEngine {
  readonly user: User;
  /** Its row without the secret. */
  readonly row: EngineRow;
  readonly secret: EngineSecret;
  /** Whether it has a status of its own, which replaces that of an overwritten version. */
  readonly namesStatus: boolean;
  /** Whether it brought its id, which no other engine may have. */
  readonly namesId?: boolean;
}

/** A complete engine, with its secret as a separate field. */
export interface WholeEngine extends Omit<PreparedEngine, "row"> {
  readonly parts: RowParts;
}

/** Sets the owner and fills in absent fields. Modifies the engine. Throws UnacceptableEngineError. */
export const wholeEngine = (user: User, engine: Engine, now: number): WholeEngine => {
  const version = assertTag(engine);
  const namesStatus = engine.status !== "";
  engine.owner = user.id;
  engine.userName = user.name;
  engine.id ||= crypto.randomUUID();
  engine.revision ||= 1;
  engine.status ||= "inactive";
  engine.createdAt ??= timestampFromMs(now);
  engine.updatedAt ??= timestampFromMs(now);
  const secret = {
    token: engine.platformConfig?.token ?? "",
    owner: user.id,
    name: engine.name,
    version: engine.version,
  };
  if (engine.platformConfig !== undefined) engine.platformConfig.token = "";
  if (engine.deviceRequirements !== undefined) {
    engine.deviceRequirements.minCpu = floatOf(engine.deviceRequirements.minCpu);
    engine.deviceRequirements.minMemory = floatOf(engine.deviceRequirements.minMemory);
  }
  return { user, parts: { engine, version, owner: user.number }, secret, namesStatus };
};

/** A number as a float holds it, so that both forms say the same: one that is too small is 0, and -0 is 0. */
const floatOf = (value: number): number => Math.fround(value) + 0;

/** Rows of many engines at once. */
export const prepareEngines = (whole: ReadonlyArray<WholeEngine>): ReadonlyArray<PreparedEngine> => {
  const rows = rowsOf(whole.map(({ parts }) => parts));
  return whole.map(({ user, secret, namesStatus, namesId = false }, index) => ({
    user,
    secret,
    namesStatus,
    namesId,
    row: rows[index] ?? [],
  }));
};

/** A prepared engine with its encrypted secret. */
export interface SealedEngine extends PreparedEngine {
  readonly sealed: Uint8Array | null;
}

/**
 * Throws UnacceptableEngineError for a secret without a key, or in a public engine. Returns no promise without a secret,
 * which is nearly always so.
 */
export const sealEngine = (
  prepared: PreparedEngine,
  box: SecretBox | undefined,
): SealedEngine | Promise<SealedEngine> => {
  const { secret, row } = prepared;
  if (secret.token === "") return { ...prepared, sealed: null };
  if (valueIn(row, "is_public") === 1) throw secretInPublic(`${secret.name}@${secret.version}`);
  return sealed(prepared, box);
};

const sealed = async (prepared: PreparedEngine, box: SecretBox | undefined): Promise<SealedEngine> => ({
  ...prepared,
  sealed: prepared.secret.token === "" ? null : await sealSecret(prepared.secret, box),
});

const secretInPublic = (tag: string): UnacceptableEngineError =>
  new UnacceptableEngineError(
    `${tag} has a platform_config.token, and cannot be public: take the token out, or make it private`,
  );

/** How many engines users may still add, within one transaction. */
export interface Quotas {
  /** Undefined: any number. */
  readonly left: (user: User) => number | undefined;
  readonly added: (user: User) => void;
}

/** The quotas at the begin of a transaction. */
export const makeQuotas = (run: Run): Quotas => {
  const left = new Map<number, number | undefined>();
  const quotas: Quotas = {
    left: ({ number }) => {
      if (!left.has(number)) {
        const [row] = run(statements.remainingEngines, number);
        const remaining = row?.["remaining"];
        left.set(number, remaining === null || remaining === undefined ? undefined : Number(remaining));
      }
      return left.get(number);
    },
    added: (user) => {
      const remaining = quotas.left(user);
      if (remaining !== undefined) left.set(user.number, remaining - 1);
    },
  };
  return quotas;
};

/**
 * Publishes an engine inside a transaction. A version that exists already is overwritten: it keeps its id, its time of
 * creation, and its status and visibility unless the new one names them, and its revision goes up by one. A new one counts
 * towards the quota of its owner. `expected` is a guess that only affects speed.
 */
export const publish = (
  run: Run,
  prepared: SealedEngine,
  now: number,
  quotas: Quotas,
  expected: "new" | "known" = "known",
): Published => {
  const { row, sealed, user } = prepared;
  const { name, version } = prepared.secret;
  const tag = `${name}@${version}`;
  const asNew = { tag, id: String(valueIn(row, "id")), revision: Number(valueIn(row, "revision")), created: true };
  const whole = row.with(engineColumns.indexOf("secret"), sealed);
  if (prepared.namesId === true) assertOwnId(run, prepared, asNew.id);
  // A deleted engine can have the same version as a live one.
  const isLive = valueIn(row, "deleted_at") === null;
  const remaining = isLive ? quotas.left(user) : undefined;
  const mayBeNew = expected === "new" && isLive && remaining === undefined;
  if (mayBeNew && run.change(insertEngineSql, ...whole) > 0) return asNew;
  const [found] = run(statements.version, user.number, name, valueIn(row, "major"), valueIn(row, "minor"));
  if (found === undefined) {
    if (remaining !== undefined && remaining <= 0) {
      throw new UnacceptableEngineError(
        `${tag}: ${user.name} has as many engines as the quota allows: delete some, or raise it`,
      );
    }
    run.change(insertEngineSql, ...whole);
    if (isLive) quotas.added(user);
    return asNew;
  }
  const engine = fromBinary(EngineSchema, valueIn(row, "protobuf") as Uint8Array);
  const before = engineOf(found["json"]);
  engine.id = before.id;
  if (before.revision >= largestRevision) {
    throw new UnacceptableEngineError(`${tag} of ${user.name} has the largest revision there is: delete it first`);
  }
  engine.revision = before.revision + 1;
  if (!prepared.namesStatus) engine.status = before.status;
  engine.isPublic ||= before.isPublic;
  if (engine.isPublic && sealed !== null) throw secretInPublic(tag);
  engine.createdAt = before.createdAt ?? timestampFromMs(now);
  engine.updatedAt = timestampFromMs(now);
  run(updateEngineSql, ...rowOf(engine, user.number, sealed), Number(found["number"]));
  if (engine.hash !== before.hash) run(statements.releaseArchive, now, Number(found["number"]));
  return { tag, id: engine.id, revision: engine.revision, created: false };
};

const assertOwnId = (run: Run, { row, user, secret }: SealedEngine, id: string): void => {
  const [other] = run(statements.otherOfId, id, user.number, secret.name, valueIn(row, "major"), valueIn(row, "minor"));
  if (other === undefined) return;
  throw new UnacceptableEngineError(
    `${secret.name}@${secret.version} of ${user.name}: its id ${id} is the one of ${tagIn(other)}`,
  );
};

const valueIn = (row: EngineRow, column: (typeof engineColumns)[number]): SqlValue =>
  row[engineColumns.indexOf(column)] ?? null;

/** Publishes engines of a user: all or none. For tests and samples: public ones may have a secret, as in older databases. */
export const publishAll = async (
  file: SqliteFile,
  user: User,
  engines: ReadonlyArray<EngineInit>,
  box: SecretBox | undefined,
  now: number,
): Promise<ReadonlyArray<Published>> => {
  // `create` returns a message unchanged; the caller's must not be modified.
  const own = engines.map((init) =>
    isMessage(init, EngineSchema) ? clone(EngineSchema, init) : create(EngineSchema, init),
  );
  const prepared = prepareEngines(own.map((engine) => wholeEngine(user, engine, now)));
  const all = await Promise.all(prepared.map((engine) => sealed(engine, box)));
  return file.transaction((run) => {
    const quotas = makeQuotas(run);
    return all.map((engine) => publish(run, engine, now, quotas));
  });
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

/** Changes the version of a tag among the user's engines. Deleting is soft: the row stays, with `deletedAt`. */
export const change = (file: SqliteFile, user: User, text: string, how: Change, now: number): string =>
  file.transaction((run) => {
    const tag = parseTag(text);
    if (tag === undefined) throw new UnacceptableEngineError(`${JSON.stringify(text)} is not a tag`);
    const [row] = run(statements.newest, user.number, ...newestValues(tag));
    if (row === undefined) throw new UnacceptableEngineError(`${user.name} has no engine ${text}`);
    const engine = engineOf(row["json"]);
    if (how === "make-public" && row["secret"] !== null) throw secretInPublic(text);
    changes[how](engine, now);
    engine.updatedAt = timestampFromMs(now);
    run(updateEngineSql, ...rowOf(engine, user.number, bytesOf(row["secret"]) ?? null), Number(row["number"]));
    const changed = `${engine.name}@${engine.version}`;
    noteChange(run, now, `${how} engine`, `${user.name}/${changed}`);
    return changed;
  });
