// Uploads: an archive checked while it arrives, then one transaction.
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { parseTag } from "@bytenite-engines/core/wire";
import { EngineSchema, type Engine, type EngineMessage } from "@bytenite-engines/proto";
import type { RequestHead } from "../api/Answer.ts";
import type { Credential } from "../api/Authentication.ts";
import {
  assertTag,
  engineOf,
  largestRevision,
  rowOf,
  sealSecret,
  secretPlace,
  UnacceptableEngineError,
  withSecret,
} from "../api/EngineRow.ts";
import type { User } from "../api/EngineStore.ts";
import { auditStatement } from "../api/Statements.ts";
import { bodyTooLong, ApiError } from "../api/ApiError.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { SqlDriver } from "../api/SqlDriver.ts";
import { ManifestError, parseManifest } from "../manage/Manifest.ts";
import { archiveLimits } from "./ArchivePath.ts";
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
  type KeptArchive,
  type KeptVersion,
  type Usage,
} from "./ArchiveRows.ts";
import { isWholeArchive, sealDataKey } from "./ArchiveStore.ts";
import { manifestName, storeArchive, type CheckedArchive, type CheckOptions } from "./CheckedArchive.ts";
import { assertCondition, conditionIn, type Condition } from "./Condition.ts";
import { dataKeyOf } from "./Download.ts";
import { digestIn, uploadLengthHeader, type Staging } from "./Staging.ts";
import { bodyFormat, maxFieldBytes, readUpload } from "./UploadBody.ts";

/** Bounds on uploads. */
export interface UploadLimits {
  /** Bytes of one archive as it is uploaded, without base64; more is 413. */
  readonly archiveBytes: number;
  /** Bytes of its tar file when unpacked; more is 400. */
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
  return isPlain ? undefined : `${JSON.stringify(text.slice(0, 200))} is not a URL as https://engines.example`;
};

/** Dependencies of uploads. */
export interface UploadOptions extends CheckOptions {
  /** Where archives come that are too long for a request. Undefined: there are none. */
  readonly staging?: Staging | undefined;
  readonly box: SecretBox | undefined;
  readonly limits: UploadLimits;
  readonly now: () => number;
}

interface Publishing extends UploadOptions {
  readonly sql: SqlDriver;
}

/** `Retry-After` in seconds at the limit of uploads. */
const turnRetrySeconds = 5;

/** Retries of a change after a concurrent one. */
const maxAttempts = 5;

const invalid = (problem: string): ApiError => new ApiError("INVALID_ARGUMENT", problem);

const precondition = (problem: string): ApiError => new ApiError("FAILED_PRECONDITION", problem);

/** Builds the upload: from a request to the stored engine, with its secret. */
export const makeUpload = (
  fixed: UploadOptions,
): ((sql: SqlDriver, head: RequestHead, by: Credential) => Promise<Engine>) => {
  const { limits, now } = fixed;
  const begin = makeTurns(limits);
  return async (sql, head, { user }) => {
    const options = { ...fixed, sql };
    const condition = conditionIn(head, true);
    const format = bodyFormat(head);
    const longest = maxFieldBytes + (format === "json" ? Math.ceil(limits.archiveBytes / 3) * 4 : limits.archiveBytes);
    const length = Number(head.header("content-length"));
    if (length > longest) throw bodyTooLong(longest);
    const usage = await readUsage(options.sql, user);
    const declared = Math.max(0, Math.floor((format === "json" ? (length / 4) * 3 : length) - maxFieldBytes));
    // An overwrite may free space; this much is certain before the body.
    if (usage.maxBytes !== null && declared > usage.maxBytes) throw quotaExceeded(usage);
    const end = begin(user.id);
    try {
      const received = await receive(options, head, format, longest, user);
      try {
        const outcome = await publish(options, user, received, condition, now());
        if (!outcome.isKept) await received.discard();
        await received.unstage?.();
        return outcome.engine;
      } catch (error) {
        // After a refusal nothing names the object. After any other error a row may: then the sweeper looks, later.
        if (error instanceof ApiError) await received.discard();
        throw error;
      }
    } finally {
      end();
    }
  };
};

const quotaExceeded = ({ engines, maxEngines, bytes, maxBytes }: Usage): ApiError => {
  const [most, mostBytes] = [maxEngines, maxBytes].map((limit) => (limit === null ? "any number" : String(limit)));
  return new ApiError(
    "FAILED_PRECONDITION",
    `quota exceeded: ${engines} of ${most} engines, ${bytes} of ${mostBytes} bytes of archives; delete engines, or ask the registry's operator for more`,
  );
};

const tooManyAtOnce = (): ApiError =>
  new ApiError("RESOURCE_EXHAUSTED", "too many uploads at once", {
    headers: { "Retry-After": String(turnRetrySeconds) },
    retryDelayMs: turnRetrySeconds * 1_000,
  });

/** Begins an upload of a user, unless there are too many; what it returns ends the upload. */
const makeTurns = ({ uploads, uploadsPerUser }: UploadLimits): ((user: string) => () => void) => {
  const users: Array<string> = [];
  return (user) => {
    const isFull = users.length >= uploads || users.filter((other) => other === user).length >= uploadsPerUser;
    if (isFull) throw tooManyAtOnce();
    users.push(user);
    return () => void users.splice(users.indexOf(user), 1);
  };
};

/** An archive that is stored, and what was said with it. */
interface Received extends CheckedArchive {
  readonly message: EngineMessage;
  /** Removes the archive from where it arrived, if that is not here, or leaves it to the sweeper. Never rejects. */
  readonly unstage?: () => Promise<void>;
}

const receive = async (
  options: UploadOptions,
  head: RequestHead,
  format: "json" | "protobuf",
  longest: number,
  user: User,
): Promise<Received> => {
  const body = readUpload(head.chunks(longest), format);
  const iterator = body.archive[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) {
    const message = body.message();
    if (message.engineLink !== "") return receiveStaged(options, head, message, user);
    throw invalid("engineData is missing: the tar archive of the engine");
  }
  const checked = await storeArchive(
    options,
    (async function* () {
      try {
        yield first.value;
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
      } finally {
        // The rest of the body is discarded.
        void iterator.return?.().catch(() => {});
      }
    })(),
  );
  try {
    return { ...checked, message: body.message() };
  } catch (error) {
    await checked.discard();
    throw error;
  }
};

/** The archive that has arrived at a link, once its digest was checked. */
const receiveStaged = async (
  options: UploadOptions,
  head: RequestHead,
  message: EngineMessage,
  user: User,
): Promise<Received> => {
  const { staging } = options;
  const place = staging?.placeOf(user.id, message.engineLink);
  if (staging === undefined || place === undefined) {
    throw new ApiError("UNIMPLEMENTED", "engineLink: archives are not fetched from elsewhere; send engineData");
  }
  const expected = digestIn(head.header("repr-digest"));
  if (expected === undefined) throw invalid("Repr-Digest is missing: sha-256=:...: of the archive at engineLink");
  const arrived = await staging.read(place);
  if (arrived === undefined) throw precondition("nothing has arrived at engineLink: PUT the archive there first");
  const unstage = (): Promise<void> => staging.remove(place).catch(() => {});
  const limits = { ...options.limits, archiveBytes: staging.maxBytes };
  const checked = await storeArchive({ ...options, limits }, arrived).catch(async (error: unknown) => {
    if (error instanceof ApiError) await unstage();
    throw error;
  });
  if (checked.archive.hash !== expected) {
    await checked.discard();
    await unstage();
    throw invalid(`the archive at engineLink has the SHA-256 ${checked.archive.hash}, not ${expected}: send it again`);
  }
  return { ...checked, message, unstage };
};

/** Builds the endpoint of upload links, for archives too long for a request. */
export const makeUploadLink =
  ({
    staging,
  }: Pick<UploadOptions, "staging">): ((sql: SqlDriver, head: RequestHead, by: Credential) => Promise<string>) =>
  async (sql, head, { user }) => {
    if (staging === undefined) throw new ApiError("UNIMPLEMENTED", "this registry takes archives in the upload alone");
    const text = head.header(uploadLengthHeader.toLowerCase()) ?? "";
    if (!/^[1-9]\d{0,14}$/.test(text)) throw invalid(`${uploadLengthHeader} is missing: bytes of the archive`);
    const bytes = Number(text);
    if (bytes > staging.maxBytes) {
      throw new ApiError("INVALID_ARGUMENT", `the archive is longer than ${staging.maxBytes} bytes`, { status: 413 });
    }
    const usage = await readUsage(sql, user);
    if (usage.maxBytes !== null && bytes > usage.maxBytes) throw quotaExceeded(usage);
    const link = await staging.link(user.id, bytes);
    if (link === undefined) throw tooManyAtOnce();
    return link;
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
  if (engine.isPublic && (engine.platformConfig?.token ?? "") !== "") throw secretInPublic();
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const before = await readVersion(options.sql, user, tag);
    assertCondition(condition, before?.revision);
    if (message.engineId !== "" && message.engineId !== before?.id) await refuseId(options.sql, user, message.engineId);
    const outcome = await (before === undefined
      ? publishNew(options, user, tag, engine, received, at)
      : publishOver(options, user, tag, engine, received, before, laterThan(before, at)));
    if (outcome !== undefined) return outcome;
    const usage = await readUsage(options.sql, user);
    const now = await readVersion(options.sql, user, tag);
    const isSame = now?.revision === before?.revision && now?.updatedAt === before?.updatedAt;
    if (isSame) throw quotaExceeded(usage);
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
    const isSealed = secret !== null && box !== undefined;
    const kept = isSealed ? await sealDataKey(archive, box) : archive;
    return { secret, kept: { ...kept, mediaType, isSealed } };
  } catch (error) {
    throw error instanceof UnacceptableEngineError ? precondition(error.message) : error;
  }
};

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
  const [[inserted] = []] = await options.sql.write([
    insertEngine(rowOf(engine, user.number, secret), user, kept.bytes),
    keepArchive(kept, user, tag, at),
    auditStatement(at, user.name, "upload", subjectOf(user, engine), { hash: kept.hash, revision: 1 }),
  ]);
  return inserted === undefined ? undefined : { engine, isKept: true };
};

const subjectOf = (user: User, { name, version }: Engine): string => `${user.name}/${name}@${version}`;

/** Whether the object of an archive is as it was uploaded. A sealed one is taken for that where there is no key to read it with. */
const isWhole = async ({ store, sha256, box }: UploadOptions, held: KeptArchive): Promise<boolean> => {
  if (held.isSealed && box === undefined) return true;
  const dataKey = await dataKeyOf(held, box).catch(() => undefined);
  return dataKey !== undefined && isWholeArchive(store, { ...held, dataKey }, sha256());
};

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
  const found = engineOf(before.json);
  const held = await readArchiveOf(sql, before.number);
  const { archive, message } = received;
  const status = message.engineStatus || found.status;
  if (held?.hash === archive.hash && found.hash === archive.hash && (await isWhole(options, held))) {
    const secret = before.secret ?? null;
    const opened =
      secret === null || box === undefined
        ? (engine: Engine) => Promise.resolve(engine)
        : async (engine: Engine) =>
            withSecret(engine, await box.open(secret, secretPlace(engine.owner, engine.name, engine.version)));
    if (status === found.status) return { engine: await opened(found), isKept: false };
    const engine = { ...found, status, updatedAt: timestampFromMs(at) };
    const [[changed] = []] = await sql.write([
      changeEngine(rowOf(engine, user.number, secret), before),
      auditStatement(at, user.name, "change engine", subjectOf(user, engine), { status }),
    ]);
    return changed === undefined ? undefined : { engine: await opened(engine), isKept: false };
  }
  if (found.hash !== archive.hash && found.revision >= largestRevision) {
    throw precondition(`${found.name}@${found.version} has the largest revision there is: delete it first`);
  }
  const engine: Engine = {
    ...manifest,
    id: found.id,
    owner: user.id,
    userName: user.name,
    status,
    isPublic: manifest.isPublic || found.isPublic,
    // Where only the hash was known, or the object was lost or damaged, the archive comes to what there is.
    revision: found.hash === archive.hash ? found.revision : found.revision + 1,
    createdAt: found.createdAt ?? timestampFromMs(at),
    updatedAt: timestampFromMs(at),
  };
  if (engine.isPublic && (engine.platformConfig?.token ?? "") !== "") throw secretInPublic();
  const { secret, kept } = await sealing(options, user, engine, received);
  const [[changed] = []] = await sql.write([
    overwriteEngine(rowOf(engine, user.number, secret), before, user, held?.bytes ?? 0, kept.bytes),
    keepArchive(kept, user, tag, at),
    auditStatement(at, user.name, "upload", subjectOf(user, engine), { hash: kept.hash, revision: engine.revision }),
    releaseOthers(kept.key, at),
  ]);
  return changed === undefined ? undefined : { engine, isKept: true };
};
