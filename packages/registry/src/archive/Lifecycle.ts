// Lifecycle calls: upload, activate, deactivate, download, delete.
import { clone, create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { decode, parseTag, type EngineTag, type Format, type ReadName } from "@bytenite-engines/core/wire";
import { EngineMessageSchema, EngineSchema, type EngineMessage } from "@bytenite-engines/proto";
import type { RequestHead } from "../api/Answer.ts";
import { requireScope, type Credential } from "../api/Authentication.ts";
import type { CallName } from "../api/Call.ts";
import type { Body } from "../api/EngineBody.ts";
import { engineOf, rowOf } from "../api/EngineRow.ts";
import { readStatus, type User } from "../api/EngineStore.ts";
import { auditStatement } from "../api/Statements.ts";
import { ApiError } from "../api/ApiError.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { SqlDriver } from "../api/SqlDriver.ts";
import type { Serializer } from "../api/Serializer.ts";
import { changeEngine, readArchiveOf, readOwnerOfId, readVersion, type FullTag } from "./ArchiveRows.ts";
import { hasObject, type ObjectStore, type Sha256 } from "./ArchiveStore.ts";
import { assertCondition, conditionIn } from "./Condition.ts";
import type { Links } from "./Link.ts";
import type { Staging } from "./Staging.ts";
import { laterThan, makeUpload, makeUploadLink, type UploadLimits } from "./Upload.ts";
import { bodyFormat } from "./UploadBody.ts";

/** Storage of archives and their links. */
export interface ArchiveOptions {
  readonly store: ObjectStore;
  readonly sha256: () => Sha256;
  readonly links: Links;
  /** Base of links: the public origin of this registry. Undefined: no downloads. */
  readonly publicUrl: string | undefined;
  /** Base of links for a `Host`, without `publicUrl`. */
  readonly localUrl?: (host: string | null) => string | undefined;
  readonly limits: UploadLimits;
  readonly staging?: Staging | undefined;
}

/** Dependencies of the calls. */
export interface LifecycleOptions {
  readonly box: SecretBox | undefined;
  /** Undefined: there are no uploads and no downloads. */
  readonly archives: ArchiveOptions | undefined;
  readonly now: () => number;
}

/** A call of the lifecycle. */
export type LifecycleName = Exclude<CallName, ReadName>;

/** Runs a call for a user; returns the response body. */
export type Lifecycle = (name: LifecycleName, call: LifecycleCall) => Promise<Body>;

/** A call with its user and format. */
export interface LifecycleCall {
  readonly tag: string | undefined;
  readonly head: RequestHead;
  readonly by: Credential;
  readonly sql: SqlDriver;
  readonly serializer: Serializer;
  readonly format: Format;
}

/** Longest body of a call without an archive, in bytes. */
const maxBodyBytes = 16 * 1_024;

/** Retries of a change after a concurrent one. */
const maxAttempts = 5;

const invalid = (problem: string): ApiError => new ApiError("INVALID_ARGUMENT", problem);

/** Builds the calls. */
export const makeLifecycle = (options: LifecycleOptions): Lifecycle => {
  const { archives, now } = options;
  const upload = archives === undefined ? undefined : makeUpload({ ...options, ...archives });
  const uploadLink = makeUploadLink({ staging: archives?.staging });
  return async (name, { tag: text, head, by, sql, serializer, format }) => {
    if (name === "upload") {
      requireScope(by, "publish");
      if (upload === undefined) throw new ApiError("UNIMPLEMENTED", "this registry keeps no archives");
      return serializer.encode(EngineSchema, await upload(sql, head, by), format);
    }
    if (name === "upload-link") {
      requireScope(by, "publish");
      const engineLink = await uploadLink(sql, head, by);
      return serializer.encode(EngineMessageSchema, create(EngineMessageSchema, { engineLink }), format);
    }
    const tag = parseTag(text ?? "");
    if (tag === undefined) throw invalid("engine tag must be name, name@major or name@major.minor");
    const answer = async (): Promise<Partial<EngineMessage>> => {
      if (name === "download") return linkTo(options, sql, by.user, tag, head);
      requireScope(by, "publish");
      const condition = conditionIn(head, false);
      if (name === "delete") {
        if (tag.minor === undefined) throw invalid("the tag of what is deleted is name@major.minor");
        return changed(sql, by.user, tag, "", condition, now(), "delete");
      }
      const { engineId } = await messageIn(head);
      return changed(sql, by.user, tag, engineId, condition, now(), name);
    };
    const message = create(EngineMessageSchema, (await answer()) as EngineMessage);
    return serializer.encode(EngineMessageSchema, message, format);
  };
};

/** The body of activate and deactivate: an EngineMessage, or nothing. */
const messageIn = async (head: RequestHead): Promise<EngineMessage> => {
  const bytes = await head.body(maxBodyBytes);
  if (bytes.length === 0) return create(EngineMessageSchema);
  const format = bodyFormat(head);
  try {
    return decode(EngineMessageSchema, bytes, format);
  } catch (error) {
    throw invalid(`the body is not an EngineMessage: ${(error as Error).message}`);
  }
};

/** The version of a tag among a user's own engines. Throws ApiError: 403 for another user's public engine, else 404. */
const ownVersion = async (sql: SqlDriver, user: User, tag: EngineTag) => {
  // The user's own comes first; 404 where there is none to be seen at all.
  const status = await readStatus(sql, user, tag);
  const full = parseTag(status.tag) as FullTag;
  const version = await readVersion(sql, user, full);
  if (version?.id === status.id) return { full, version };
  const other = await readOwnerOfId(sql, status.id);
  // What somebody has published, deleted or handed over meanwhile is looked up again.
  if (version !== undefined || other === undefined || other.owner === user.number) return undefined;
  throw new ApiError("PERMISSION_DENIED", "the engine is another user's: only its owner changes it");
};

const changed = async (
  sql: SqlDriver,
  user: User,
  tag: EngineTag,
  engineId: string,
  condition: (revision: number | undefined) => boolean,
  nowMs: number,
  how: "activate" | "deactivate" | "delete",
): Promise<Partial<EngineMessage>> => {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const found = await ownVersion(sql, user, tag);
    if (found === undefined) continue;
    const { version } = found;
    const before = engineOf(version.json);
    if (engineId !== "" && engineId !== version.id)
      throw new ApiError("NOT_FOUND", "engineId is not that of the engine");
    assertCondition(condition, version.revision);
    const engineTag = `${before.name}@${before.version}`;
    const status = how === "activate" ? "active" : "inactive";
    const outcome = { engineId: before.id, engineTag, ...(how === "delete" ? {} : { engineStatus: status }) };
    if (how !== "delete" && before.status === status) return outcome;
    const at = laterThan(version, nowMs);
    const engine = clone(EngineSchema, before);
    engine.updatedAt = timestampFromMs(at);
    if (how === "delete") engine.deletedAt = timestampFromMs(at);
    else engine.status = status;
    const [[written] = []] = await sql.write([
      changeEngine(rowOf(engine, user.number, version.secret ?? null), version),
      auditStatement(at, user.name, `${how} engine`, `${user.name}/${engineTag}`, { hash: before.hash }),
    ]);
    if (written !== undefined) return outcome;
  }
  throw new ApiError("ABORTED", "the engine is being changed by somebody else: try again", { status: 409 });
};

const linkTo = async (
  { archives, now }: LifecycleOptions,
  sql: SqlDriver,
  user: User,
  tag: EngineTag,
  head: RequestHead,
): Promise<Partial<EngineMessage>> => {
  if (archives === undefined) throw new ApiError("UNIMPLEMENTED", "this registry keeps no archives");
  const status = await readStatus(sql, user, tag);
  const archive = await readArchiveOf(sql, status.number);
  if (archive === undefined) throw new ApiError("NOT_FOUND", "the engine has no archive here: it was not uploaded");
  if (archive.isSealed && archive.owner !== user.number) {
    throw new ApiError("PERMISSION_DENIED", "the archive holds a secret: only its owner downloads it");
  }
  const url = archives.publicUrl ?? archives.localUrl?.(head.header("host"));
  if (url === undefined) {
    throw new ApiError("FAILED_PRECONDITION", "the registry does not know its own address: set its public URL");
  }
  if (!(await hasObject(archives.store, archive.key)))
    throw new ApiError("NOT_FOUND", "the archive of the engine is lost: its owner uploads it again");
  const linked = { archive: archive.key, isOwners: archive.owner === user.number };
  const engineLink = url.replace(/\/+$/, "") + (await archives.links.sign(linked, now()));
  return { engineId: status.id, engineTag: status.tag, engineLink };
};
