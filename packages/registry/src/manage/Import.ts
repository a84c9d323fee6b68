// Import of manifests and exported engines, atomic per file.
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import type { User } from "../api/EngineStore.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import { engineColumns, UnacceptableEngineError } from "../api/EngineRow.ts";
import type { Run, SqliteFile } from "../node/SqliteFile.ts";
import { AccountError, ensurePlanned, ensureUser, noteChange, plannedUser, userWithId } from "./Accounts.ts";
import { archivesIn, TransferError, type ImportedArchive, type TransferFolders } from "./ArchiveTransfer.ts";
import { chunksIn } from "./EngineDocuments.ts";
import { maxManifestBytes } from "./Manifest.ts";
import { openRegular, readBounded } from "../node/BoundedFile.ts";
import { documentOf } from "./EngineText.ts";
import { makeQuotas, publish, sealEngine, type Published, type SealedEngine } from "./Engines.ts";
import { makeStaging, type Staging } from "./Staging.ts";
import { preparedIn } from "./Preparers.ts";
import { namedOwner, prepareDocuments, problemsOf, type Prepared, type PreparingOptions } from "./Preparing.ts";

/** Files whose engines are written in one transaction, so that a tree does not wait for the disk once per file. */
const filesPerCommit = 500;

/** Problems after which reading a stream stops. */
const maxProblems = 100;

const stopped = `stdin: not read beyond ${maxProblems} mistakes; nothing of it was imported`;

/** One archive cannot be the code of several engines. */
const oneArchive = "an archive goes with one manifest";

/** How engines are imported. */
export interface ImportOptions {
  readonly file: SqliteFile;
  readonly box: SecretBox | undefined;
  /** Owner of the engines. Default: the user that an exported engine names. */
  readonly user?: string | undefined;
  readonly activate?: boolean | undefined;
  readonly makePublic?: boolean | undefined;
  /** Archive whose SHA-256 becomes the hash; for one manifest only. */
  readonly archive?: string | undefined;
  /** Folder of archives by hash; those found are stored with their engines. */
  readonly transfer?: TransferFolders | undefined;
  /** Called for each engine of a file once it is on disk. */
  readonly onPublished?: ((published: Published, source: string) => void) | undefined;
}

/** Result of an import: written engines, and problems of the others. */
export interface Imported {
  readonly engines: number;
  readonly problems: ReadonlyArray<string>;
  /** Sources of the first engines imported without their archives, which the folder lacks. */
  readonly withoutArchive?: ReadonlyArray<string>;
  /** Further engines imported without their archives. */
  readonly moreWithoutArchive?: number | undefined;
}

/** Imports files, each with one manifest. */
export const importFiles = async (paths: ReadonlyArray<string>, options: ImportOptions): Promise<Imported> => {
  const problems: Array<string> = [];
  let engines = 0;
  let preparing: PreparingOptions;
  try {
    preparing = await preparingOf(options);
  } catch (error) {
    if (error instanceof UnreadableArchive) return { engines, problems: [error.message] };
    throw error;
  }
  const owners = new Map<string, User | string>();
  const ownerOf = ownersIn(options, (name, id) => ensureUser(options.file, name, Date.now(), id));
  for (let at = 0; at < paths.length; at += filesPerCommit) {
    const ready: Array<Ready> = [];
    for (const path of paths.slice(at, at + filesPerCommit)) {
      try {
        const documents = [documentOf(await readBounded(path, maxManifestBytes), path)];
        let prepared = prepareDocuments(documents, preparing, owners, Date.now());
        const [unknown] = prepared.unknown;
        if (unknown !== undefined) {
          owners.set(unknown, ownerOf(unknown));
          prepared = prepareDocuments(documents, preparing, owners, Date.now());
        }
        problems.push(...prepared.problems);
        ready.push(...(await sealed(prepared, options.box, problems)));
      } catch (error) {
        problems.push(unreadable(error, path));
      }
    }
    const published = options.file.transaction((run) => {
      const quotas = makeQuotas(run);
      const imported = new Map<string, number>();
      const all = ready.flatMap(({ engine, source }) => {
        try {
          const published = publish(run, engine, Date.now(), quotas);
          countOne(imported, engine.user);
          return [{ published, source }];
        } catch (error) {
          problems.push(...problemsOf(error, source));
          return [];
        }
      });
      noteImport(run, imported);
      return all;
    });
    engines += published.length;
    for (const { published: one, source } of published) options.onPublished?.(one, source);
  }
  return { engines, problems };
};

/**
 * Imports a stream: one manifest, or a line of JSON per engine (manifests, or engines as the API and an export write
 * them). All of it or, when anything is wrong, nothing. Memory does not grow with its length. The database is not written
 * to, nor locked, before the stream has ended and all of it is ready.
 */
export const importStream = async (input: Readable, options: ImportOptions): Promise<Imported> => {
  const problems: Array<string> = [];
  let engines = 0;
  using staging = makeStaging();
  const { transfer } = options;
  const archives = transfer === undefined ? undefined : await archivesIn(transfer, options.box);
  const taken: Array<ImportedArchive | undefined> = [];
  const withoutArchive: Array<string> = [];
  let moreWithoutArchive: number | undefined;
  try {
    const preparing = await preparingOf(options);
    const ownerOf = ownersIn(options, (name, id) => plannedUser(options.file, name, id));
    for await (const prepared of preparedIn(chunksIn(input), preparing, ownerOf)) {
      problems.push(...prepared.problems);
      const ready = await sealed(prepared, options.box, problems);
      engines += ready.length;
      const [second] = ready.slice(engines === ready.length ? 1 : 0);
      if (options.archive !== undefined && second !== undefined) problems.push(`${second.source}: ${oneArchive}`);
      if (problems.length >= maxProblems) break;
      if (problems.length > 0) continue;
      for (const { engine, source } of archives === undefined ? [] : ready) {
        const hash = hashIn(engine);
        const archive = await archives?.take(hash);
        taken.push(archive);
        if (hash === "" || archive !== undefined) continue;
        if (withoutArchive.length < maxProblems) withoutArchive.push(source);
        else moreWithoutArchive = (moreWithoutArchive ?? 0) + 1;
      }
      staging.add(ready.map(({ engine }) => engine));
    }
    if (problems.length === 0) writeAll(options.file, staging, taken);
    else await archives?.discard();
  } catch (error) {
    await archives?.discard();
    if (!importErrors.some((kind) => error instanceof kind)) throw error;
    problems.push((error as Error).message);
  }
  if (problems.length >= maxProblems) problems.splice(maxProblems, Infinity, stopped);
  if (problems.length > 0) return { engines: 0, problems };
  return { engines, problems, withoutArchive, moreWithoutArchive };
};

/** Writes the staged engines in one transaction. */
const writeAll = (file: SqliteFile, staging: Staging, archives: ReadonlyArray<ImportedArchive | undefined>): void => {
  const owners = new Map<string, User>();
  const owner = engineColumns.indexOf("owner");
  file.bulkTransaction((run) =>
    fillingWell(run, () => {
      // The next engine is likely new or existing as the last one was: streams fill a registry or repeat it.
      let expected: "new" | "known" = "new";
      const quotas = makeQuotas(run);
      let index = 0;
      const imported = new Map<string, number>();
      for (const engine of staging.all()) {
        const user = owners.get(engine.user.name) ?? ensurePlanned(run, engine.user, Date.now());
        owners.set(user.name, user);
        const row = engine.row.with(owner, user.number);
        const published = publish(run, { ...engine, user, row }, Date.now(), quotas, expected);
        expected = published.created ? "new" : "known";
        for (const { sql, values } of archives[index++]?.(published.id, Date.now()) ?? []) run(sql, ...values);
        countOne(imported, user);
      }
      noteImport(run, imported);
    }),
  );
};

const countOne = (engines: Map<string, number>, { name }: User): void =>
  void engines.set(name, (engines.get(name) ?? 0) + 1);

/** A line of the audit trail for each user: one for each engine would double the time of an import. */
const noteImport = (run: Run, engines: ReadonlyMap<string, number>): void => {
  for (const [user, count] of engines) noteChange(run, Date.now(), "import engines", user, { engines: count });
};

/** The hash of an engine's archive, or "". */
const hashIn = ({ row }: SealedEngine): string =>
  (JSON.parse(String(row[engineColumns.indexOf("json")])) as { readonly hash?: string }).hash ?? "";

class UnreadableArchive extends Error {}

/** Errors whose messages are for the operator. */
const importErrors = [UnreadableArchive, UnacceptableEngineError, TransferError];

interface Ready {
  readonly engine: SealedEngine;
  readonly source: string;
}

/** Engines whose secrets could be encrypted, and the problems of the others. */
const sealed = async (
  { ready }: Prepared,
  box: SecretBox | undefined,
  problems: Array<string>,
): Promise<ReadonlyArray<Ready>> => {
  const engines: Array<Ready> = [];
  for (const { prepared, source } of ready) {
    try {
      const engine = sealEngine(prepared, box);
      engines.push({ engine: engine instanceof Promise ? await engine : engine, source });
    } catch (error) {
      problems.push(...problemsOf(error, source));
    }
  }
  return engines;
};

const preparingOf = async ({ user, activate, makePublic, archive }: ImportOptions): Promise<PreparingOptions> => ({
  user,
  activate,
  makePublic,
  hash: archive === undefined ? undefined : await archiveHash(archive),
});

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Finds or makes the users that own what is imported. An engine that names its owner by id stays with that owner: it is not
 * given to another user of the same name, nor to anybody while its owner is a user here. A new user gets the id.
 */
const ownersIn = ({ file, user: given }: ImportOptions, ensure: (name: string, id?: string) => User) => {
  const byName = new Map<string, User>();
  return (key: string): User | string => {
    const [name, id] = namedOwner(key);
    try {
      const owner = userWithId(file, id);
      if (owner !== undefined && owner.name !== name) {
        return `its owner is ${owner.name} here, not ${name}: take owner, id and userName out of it to make it another engine`;
      }
      const wanted = given === undefined && uuid.test(id) ? id : undefined;
      const user = byName.get(name) ?? ensure(name, wanted);
      byName.set(name, user);
      if (wanted === undefined || user.id === wanted) return user;
      return `its owner ${id} is another user than ${name} here: name the user with --user`;
    } catch (error) {
      if (error instanceof AccountError) return error.message;
      throw error;
    }
  };
};

const archiveHash = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  try {
    const archive = await openRegular(path);
    for await (const chunk of archive.createReadStream()) hash.update(chunk as Buffer);
  } catch (error) {
    throw new UnreadableArchive(unreadable(error, path));
  }
  return hash.digest("base64");
};

/** Problem of an unreadable file. Throws other errors, such as those of the database. */
const unreadable = (error: unknown, path: string): string => {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined || code === "ERR_SQLITE_ERROR") throw error;
  return `${path}: ${message}`;
};

/** Indexes that are there for readers, and what counts. The unique index and that of ids are needed by those who write. */
const derived = `SELECT type, name, sql FROM sqlite_master
  WHERE tbl_name = 'engines' AND (type = 'trigger' OR type = 'index' AND sql LIKE 'CREATE INDEX %' AND name <> 'engines_by_id')`;

const counts = [
  `UPDATE users SET live_engines =
     (SELECT count(*) FROM engines WHERE owner = users.number AND deleted_at IS NULL)`,
  `UPDATE public_total SET live_engines =
     (SELECT count(*) FROM engines WHERE deleted_at IS NULL AND is_public = 1)`,
];

/**
 * Runs `work`, which writes engines, within a transaction. Where there were none, indexes are built and engines counted after
 * it, which takes a quarter off the time of writing.
 */
const fillingWell = <A>(run: Run, work: () => A): A => {
  if (run("SELECT 1 FROM engines LIMIT 1").length > 0) return work();
  const parts = run(derived);
  for (const { type, name } of parts) run(`DROP ${String(type)} ${String(name)}`);
  const result = work();
  for (const { sql } of parts) run(String(sql));
  for (const sql of counts) run(sql);
  return result;
};
