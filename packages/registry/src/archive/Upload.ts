// Uploads: an archive checked while it arrives, then one transaction.
import { create, type JsonObject } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { decodeJson, parseTag } from "@bytenite-engines/core/wire";
import { EngineSchema, type Engine, type EngineMessage } from "@bytenite-engines/proto";
import type { RequestHead } from "../api/Answer.ts";
import type { Credential } from "../api/Authentication.ts";
import { assertTag, rowOf, sealSecret, secretPlace, UnacceptableEngineError, withSecret } from "../api/EngineRow.ts";
import type { User } from "../api/EngineStore.ts";
import { auditStatement } from "../api/Audit.ts";
import { bodyTooLong, ApiError } from "../api/ApiError.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { SqlDriver } from "../api/SqlDriver.ts";
import { ManifestError, parseManifest } from "../manage/Manifest.ts";
import { archiveLimits } from "./ArchivePath.ts";
import { ArchiveError, readArchive } from "./ArchiveReader.ts";
import {
  changeEngine,
  insertEngine,
  keepArchive,
  overwriteEngine,
  readArchiveOf,
  readOwnerOfId,
  readUsage,
  readVersion,
  releaseOthers,
  type FullTag,
  type KeptVersion,
  type Usage,
} from "./ArchiveRows.ts";
import { beginArchive, type ObjectStore, type Sha256, type StoredArchive } from "./ArchiveStore.ts";
import { assertCondition, conditionIn, type Condition } from "./Condition.ts";
import { bodyFormat, maxFieldBytes, readUpload } from "./UploadBody.ts";

/** Bounds on uploads. */
export interface UploadLimits {
  /** Bytes of one archive as it is uploaded, without base64; more is 413. */
  readonly archiveBytes: number;
  /** Bytes of its tar file when unpacked. */
  readonly unpackedBytes: number;
  /** Uploads at once; one more is 429 with `Retry-After`. Each takes less than 1 MiB of memory. */
  readonly uploads: number;
  /** Uploads of one user at once. */
  readonly uploadsPerUser: number;
}

/** The limits when none are given. */
export const defaultUploadLimits: UploadLimits = {
  archiveBytes: 64 * 1_024 * 1_024,
  unpackedBytes: archiveLimits.unpackedBytes,
  uploads: 16,
  uploadsPerUser: 4,
};

/** What is wrong with a URL that links to archives begin with, or undefined. */
export const publicUrlProblem = (text: string): string | undefined => {
  const url = URL.parse(text);
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.search + url.hash + url.username === "";
  return isPlain ? undefined : `${JSON.stringify(text.slice(0, 200))} is no URL as https://engines.example`;
};

/** What uploads stand on. */
export interface UploadOptions {
  readonly box: SecretBox | undefined;
  readonly store: ObjectStore;
  readonly sha256: () => Sha256;
  readonly limits: UploadLimits;
  readonly now: () => number;
}

interface Publishing extends UploadOptions {
  readonly sql: SqlDriver;
}

/** Seconds after which an upload may be sent again for which there was no turn. */
const turnRetrySeconds = 5;

/** Times that a change is tried again after somebody else's came between. */
const maxAttempts = 5;

/** Longest manifest in an archive, in bytes. */
const maxManifestBytes = 256 * 1_024;

const manifestName = "manifest.json";

const invalid = (problem: string): ApiError => new ApiError("INVALID_ARGUMENT", problem);

const precondition = (problem: string): ApiError => new ApiError("FAILED_PRECONDITION", problem);

/** Builds what takes uploads: the engine that comes of one, with its secret. */
export const makeUpload = (
  fixed: UploadOptions,
): ((sql: SqlDriver, head: RequestHead, by: Credential) => Promise<Engine>) => {
  const { limits, now } = fixed;
  const turns = makeTurns(limits);
  return async (sql, head, { user }) => {
    const options = { ...fixed, sql };
    const condition = conditionIn(head, true);
    const format = bodyFormat(head);
    const longest = maxFieldBytes + (format === "json" ? Math.ceil(limits.archiveBytes / 3) * 4 : limits.archiveBytes);
    const length = Number(head.header("content-length") ?? 0);
    if (length > longest) throw bodyTooLong(longest);
    const usage = await readUsage(options.sql, user);
    const declared = Math.max(0, Math.floor((format === "json" ? (length / 4) * 3 : length) - maxFieldBytes));
    // An overwrite may free space; this much is certain before the body.
    if (usage.maxBytes !== null && declared > usage.maxBytes) throw noRoom(usage);
    const end = turns.begin(user.id);
    try {
      const received = await receive(options, head, format, longest);
      try {
        const outcome = await publish(options, user, received, condition, now());
        if (!outcome.isKept) await received.discard();
        return outcome.engine;
      } catch (error) {
        // After a refusal nothing names the object. After any other error a row may: then the sweeper looks, later.
        if (error instanceof ApiError) await received.discard().catch(() => {});
        throw error;
      }
    } finally {
      end();
    }
  };
};

const noRoom = ({ engines, maxEngines, bytes, maxBytes }: Usage): ApiError => {
  const [most, mostBytes] = [maxEngines, maxBytes].map((limit) => (limit === null ? "any number" : String(limit)));
  return precondition(
    `no room: ${engines} engines of ${most}, ${bytes} bytes of archives of ${mostBytes}; delete some first`,
  );
};

/** Shares of uploads at once. */
const makeTurns = ({ uploads, uploadsPerUser }: UploadLimits) => {
  const byUser = new Map<string, number>();
  let total = 0;
  return {
    begin: (user: string): (() => void) => {
      const own = byUser.get(user) ?? 0;
      if (total >= uploads || own >= uploadsPerUser) {
        throw new ApiError("RESOURCE_EXHAUSTED", "too many uploads at once", {
          headers: { "Retry-After": String(turnRetrySeconds) },
          retryDelayMs: turnRetrySeconds * 1_000,
        });
      }
      total += 1;
      byUser.set(user, own + 1);
      return () => {
        total -= 1;
        const left = (byUser.get(user) ?? 1) - 1;
        if (left === 0) byUser.delete(user);
        else byUser.set(user, left);
      };
    },
  };
};

/** An archive that is stored, and what was said with it. */
interface Received {
  readonly archive: StoredArchive;
  readonly mediaType: string;
  readonly message: EngineMessage;
  readonly manifest: string;
  readonly discard: () => Promise<void>;
}

const receive = async (
  { store, sha256, limits }: UploadOptions,
  head: RequestHead,
  format: "json" | "protobuf",
  longest: number,
): Promise<Received> => {
  const body = readUpload(head.chunks(longest), format);
  const iterator = body.archive[Symbol.asyncIterator]();
  let next = await iterator.next();
  if (next.done === true) {
    const { engineLink } = body.message();
    if (engineLink !== "") {
      throw new ApiError("UNIMPLEMENTED", "engineLink: archives are not fetched from elsewhere; send engineData");
    }
    throw invalid("engineData is missing: the tar archive of the engine");
  }
  const writer = await beginArchive(store, sha256());
  let start: Uint8Array = new Uint8Array();
  let bytes = 0;
  const stored = async function* (): AsyncGenerator<Uint8Array> {
    try {
      while (next.done !== true) {
        const chunk = next.value;
        bytes += chunk.length;
        if (bytes > limits.archiveBytes) {
          throw new ApiError("INVALID_ARGUMENT", `the archive is longer than ${limits.archiveBytes} bytes`, {
            status: 413,
          });
        }
        if (start.length < 2) start = Uint8Array.of(...start, ...chunk.subarray(0, 2));
        await writer.write(chunk);
        yield chunk;
        next = await iterator.next();
      }
    } finally {
      // What is left of the body goes by unread.
      void iterator.return?.().catch(() => {});
    }
  };
  try {
    const manifest = await manifestIn(stored(), limits);
    const message = body.message();
    const archive = await writer.finish();
    const isGzip = start[0] === 0x1f && start[1] === 0x8b;
    return {
      archive,
      mediaType: isGzip ? "application/gzip" : "application/x-tar",
      message,
      manifest,
      discard: () => store.remove(archive.key),
    };
  } catch (error) {
    await writer.abort().catch(() => {});
    throw error instanceof ArchiveError ? invalid(error.message) : error;
  }
};

/** The text of the manifest at the top of an archive, or in the one folder there. Reads the archive to its end. */
const manifestIn = async (source: AsyncIterable<Uint8Array>, { unpackedBytes }: UploadLimits): Promise<string> => {
  const found = new Map<string, Uint8Array>();
  const tops = new Set<string>();
  for await (const { path, type, size, body } of readArchive(source, { ...archiveLimits, unpackedBytes })) {
    const parts = path.split("/");
    // macOS writes metadata files that say nothing about the engine.
    if (!(parts.at(-1) ?? "").startsWith("._")) tops.add(parts[0] ?? "");
    if (parts.at(-1) !== manifestName || type !== "file" || parts.length > 2 || found.size === 2) continue;
    if (parts.length === 2 && tops.size > 1) continue;
    if (size > maxManifestBytes) throw invalid(`${path} is longer than ${maxManifestBytes} bytes`);
    const bytes = new Uint8Array(size);
    let at = 0;
    for await (const chunk of body) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    found.set(path, bytes);
  }
  const [top = ""] = tops;
  const path = found.has(manifestName) ? manifestName : tops.size === 1 ? `${top}/${manifestName}` : "";
  const bytes = found.get(path);
  if (bytes === undefined) throw invalid(`the archive has no ${manifestName} at its top, nor in the one folder there`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid(`${path} is not UTF-8`);
  }
};

const engineIn = (manifest: string): Engine => {
  try {
    return create(EngineSchema, parseManifest(manifest, manifestName));
  } catch (error) {
    throw error instanceof ManifestError ? invalid(error.message) : error;
  }
};

const statuses: ReadonlySet<string> = new Set(["", "active", "inactive"]);

interface Outcome {
  readonly engine: Engine;
  /** Whether the new object is the one of the engine now. */
  readonly isKept: boolean;
}

/** Writes what an upload says, in one transaction; tries again when somebody else's change comes between. */
const publish = async (
  options: Publishing,
  user: User,
  received: Received,
  condition: Condition,
  at: number,
): Promise<Outcome> => {
  const { message, archive } = received;
  if (!statuses.has(message.engineStatus)) throw invalid("engineStatus is active or inactive, or absent");
  const engine = engineIn(received.manifest);
  const tag: FullTag = { name: engine.name, ...assertTag(engine) };
  const given = message.engineTag === "" ? undefined : parseTag(message.engineTag);
  const agrees =
    given === undefined
      ? message.engineTag === ""
      : given.name === tag.name && (given.major ?? tag.major) === tag.major && (given.minor ?? tag.minor) === tag.minor;
  if (!agrees) {
    throw invalid(
      `engineTag ${JSON.stringify(message.engineTag.slice(0, 100))} is not that of the manifest, ${engine.name}@${engine.version}`,
    );
  }
  engine.hash = archive.hash;
  const token = engine.platformConfig?.token ?? "";
  if (token !== "" && engine.isPublic) throw secretInPublic();
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const before = await readVersion(options.sql, user, tag);
    assertCondition(condition, before?.revision);
    if (message.engineId !== "" && message.engineId !== before?.id) await refuseId(options.sql, user, message.engineId);
    const outcome = await (before === undefined
      ? publishNew(options, user, tag, engine, received, at)
      : publishOver(options, user, tag, engine, received, before, laterThan(before, at)));
    if (outcome !== undefined)
      return {
        ...outcome,
        engine: token === "" || !outcome.isKept ? outcome.engine : withSecret(outcome.engine, token),
      };
    const usage = await readUsage(options.sql, user);
    const now = await readVersion(options.sql, user, tag);
    const isSame = now?.revision === before?.revision && now?.updatedAt === before?.updatedAt;
    if (isSame) throw noRoom(usage);
  }
  throw new ApiError("ABORTED", "the engine is being changed by somebody else: try again", { status: 409 });
};

/** A time after the last change, so that changes have distinct times. */
export const laterThan = ({ updatedAt }: KeptVersion, at: number): number => Math.max(at, updatedAt + 1);

const secretInPublic = (): ApiError =>
  precondition(
    "an engine whose manifest has a platform_config.token cannot be public: take the token out, or make it private",
  );

/** The id of an upload is that of the engine that it overwrites. */
const refuseId = async (sql: SqlDriver, user: User, id: string): Promise<never> => {
  const other = await readOwnerOfId(sql, id);
  if (other !== undefined && other.owner !== user.number && other.isPublic) {
    throw new ApiError("PERMISSION_DENIED", "engineId is that of another user's engine");
  }
  throw new ApiError("NOT_FOUND", "engineId is that of no engine of this name and version");
};

const sealing = async ({ box }: UploadOptions, user: User, engine: Engine, { archive, mediaType }: Received) => {
  const token = engine.platformConfig?.token ?? "";
  try {
    const secret = await sealSecret({ token, owner: user.id, name: engine.name, version: engine.version }, box);
    const isSealed = secret !== null;
    const dataKey =
      isSealed && box !== undefined
        ? await box.seal(btoa(String.fromCharCode(...archive.dataKey)), archivePlace(archive.key))
        : archive.dataKey;
    return { secret, kept: { ...archive, mediaType, dataKey, isSealed } };
  } catch (error) {
    throw error instanceof UnacceptableEngineError ? precondition(error.message) : error;
  }
};

/** Where the sealed data key of an archive belongs. */
export const archivePlace = (key: string): string => `archive ${key}`;

const publishNew = async (
  options: Publishing,
  user: User,
  tag: FullTag,
  manifest: Engine,
  received: Received,
  at: number,
): Promise<Outcome | undefined> => {
  const engine: Engine = {
    ...manifest,
    id: crypto.randomUUID(),
    owner: user.id,
    userName: user.name,
    revision: 1,
    status: received.message.engineStatus || "inactive",
    createdAt: timestampFromMs(at),
    updatedAt: timestampFromMs(at),
  };
  const { secret, kept } = await sealing(options, user, engine, received);
  const [inserted] = await options.sql.write([
    insertEngine(rowOf(engine, user.number, secret), user, kept.bytes),
    keepArchive(kept, user, tag, at),
    auditStatement(at, user.name, "upload", subjectOf(user, engine), { hash: kept.hash, revision: 1 }, true),
  ]);
  return inserted?.length === 1 ? { engine, isKept: true } : undefined;
};

const subjectOf = (user: User, { name, version }: Engine): string => `${user.name}/${name}@${version}`;

/** Largest value of the field (int32). */
const largestRevision = 2 ** 31 - 1;

const publishOver = async (
  options: Publishing,
  user: User,
  tag: FullTag,
  manifest: Engine,
  received: Received,
  before: KeptVersion,
  at: number,
): Promise<Outcome | undefined> => {
  const { sql, box } = options;
  const found = decodeJson(EngineSchema, JSON.parse(before.json) as JsonObject).message;
  const held = await readArchiveOf(sql, before.number);
  const { archive, message } = received;
  const status = message.engineStatus || found.status;
  if (held?.hash === archive.hash && found.hash === archive.hash) {
    const secret = before.secret ?? null;
    const opened =
      secret === null || box === undefined
        ? (engine: Engine) => Promise.resolve(engine)
        : async (engine: Engine) =>
            withSecret(engine, await box.open(secret, secretPlace(engine.owner, engine.name, engine.version)));
    if (status === found.status) return { engine: await opened(found), isKept: false };
    const engine = { ...found, status, updatedAt: timestampFromMs(at) };
    const [changed] = await sql.write([
      changeEngine(rowOf(engine, user.number, secret), before),
      auditStatement(at, user.name, "change engine", subjectOf(user, engine), { status }, true),
    ]);
    return changed?.length === 1 ? { engine: await opened(engine), isKept: false } : undefined;
  }
  if (found.revision >= largestRevision) {
    throw precondition(`${found.name}@${found.version} has the largest revision there is: delete it first`);
  }
  const engine: Engine = {
    ...manifest,
    id: found.id,
    owner: user.id,
    userName: user.name,
    status,
    isPublic: manifest.isPublic || found.isPublic,
    // Where only the hash was known, the archive comes to what there is.
    revision: found.hash === archive.hash ? found.revision : found.revision + 1,
    createdAt: found.createdAt ?? timestampFromMs(at),
    updatedAt: timestampFromMs(at),
  };
  if (engine.isPublic && (engine.platformConfig?.token ?? "") !== "") throw secretInPublic();
  const { secret, kept } = await sealing(options, user, engine, received);
  const [changed] = await sql.write([
    overwriteEngine(rowOf(engine, user.number, secret), before, user, held?.bytes ?? 0, kept.bytes),
    keepArchive(kept, user, tag, at),
    auditStatement(
      at,
      user.name,
      "upload",
      subjectOf(user, engine),
      { hash: kept.hash, revision: engine.revision },
      true,
    ),
    releaseOthers(kept.key, at),
  ]);
  return changed?.length === 1 ? { engine, isKept: true } : undefined;
};
