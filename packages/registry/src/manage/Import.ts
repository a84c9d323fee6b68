// Decides: how manifests and exported engines get into a database: all or nothing per file.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import type { User } from "../api/EngineStore.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { SqliteFile } from "../node/SqliteFile.ts";
import { AccountError, ensureUser, ensureUserWithin } from "./Accounts.ts";
import { prepareOwn, publish, type PreparedEngine, type Published } from "./Engines.ts";
import { maxManifestCharacters, ManifestError, parseManifest } from "./Manifest.ts";

/** Files whose engines are written in one transaction, so that a tree does not wait for the disk once per file. */
const filesPerCommit = 500;

/** Lines of a stream that are written at once. */
const linesPerChunk = 500;

/** Problems after which a stream is given up. */
const maxProblems = 100;

/** One archive cannot be the code of several engines. */
const oneArchive = "an archive goes with one manifest";

/** How engines are imported. */
export interface ImportOptions {
  readonly file: SqliteFile;
  readonly box: SecretBox | undefined;
  /** Who owns what is imported. Default: whom an exported engine names. */
  readonly user?: string | undefined;
  readonly activate?: boolean | undefined;
  readonly makePublic?: boolean | undefined;
  /** Archive whose SHA-256 becomes the hash; for one manifest only. */
  readonly archive?: string | undefined;
  /** Called for each engine of a file once it is on disk. */
  readonly onPublished?: ((published: Published, source: string) => void) | undefined;
}

/** What came of an import: engines that are on disk now, and what was wrong with what is not. */
export interface Imported {
  readonly engines: number;
  readonly problems: ReadonlyArray<string>;
}

/** Imports files, each with one manifest. */
export const importFiles = async (paths: ReadonlyArray<string>, options: ImportOptions): Promise<Imported> => {
  const problems: Array<string> = [];
  let engines = 0;
  const owners = ownersOf(options, (name) => ensureUser(options.file, name, Date.now()));
  for (let at = 0; at < paths.length; at += filesPerCommit) {
    const ready: Array<{ readonly prepared: PreparedEngine; readonly path: string }> = [];
    for (const path of paths.slice(at, at + filesPerCommit)) {
      try {
        const engine = await engineIn(await readFile(path, "utf8"), path, options);
        ready.push({ prepared: await prepareOwn(owners(engine), engine, options.box), path });
      } catch (error) {
        problems.push(...problemsOf(error, path));
      }
    }
    const published = options.file.transaction((run) =>
      ready.map(({ prepared, path }) => ({ published: publish(run, prepared, Date.now()), path })),
    );
    engines += published.length;
    for (const { published: one, path } of published) options.onPublished?.(one, path);
  }
  return { engines, problems };
};

/**
 * Imports a stream: one manifest, or a line of JSON per engine (manifests, or engines as the API and an export write
 * them). All of it or, when anything is wrong, nothing. Memory does not grow with its length.
 */
export const importStream = async (input: Readable, options: ImportOptions): Promise<Imported> => {
  const problems: Array<string> = [];
  let engines = 0;
  try {
    await options.file.longTransaction(async (run) => {
      const owners = ownersOf(options, (name) => ensureUserWithin(run, name, Date.now()));
      let chunk: Array<PreparedEngine> = [];
      // The next one is likely to be as the last one was: streams fill a registry, or repeat what is in it.
      let expected: "new" | "known" = "new";
      const flush = (): void => {
        for (const prepared of chunk) expected = publish(run, prepared, Date.now(), expected).created ? "new" : "known";
        engines += chunk.length;
        chunk = [];
      };
      for await (const { text, source } of documentsIn(input)) {
        try {
          const engine = await engineIn(text, source, options);
          chunk.push(await prepareOwn(owners(engine), engine, options.box));
        } catch (error) {
          problems.push(...problemsOf(error, source));
        }
        if (options.archive !== undefined && engines + chunk.length > 1) problems.push(`${source}: ${oneArchive}`);
        if (problems.length >= maxProblems) break;
        if (chunk.length >= linesPerChunk) flush();
      }
      if (problems.length > 0) throw new GivenUp();
      flush();
    });
  } catch (error) {
    if (!(error instanceof GivenUp)) throw error;
    return { engines: 0, problems };
  }
  return { engines, problems };
};

class GivenUp extends Error {}

/** One document per line; a first line that is not whole JSON means that all lines together are one document. */
const documentsIn = async function* (
  input: Readable,
): AsyncGenerator<{ readonly text: string; readonly source: string }> {
  let number = 0;
  let whole: Array<string> | undefined;
  let length = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (whole === undefined && line.trim() === "") continue;
    if (whole === undefined && number === 1 && !isJson(line)) whole = [];
    if (whole === undefined) yield { text: line, source: `stdin line ${number}` };
    else {
      length += line.length + 1;
      if (length > maxManifestCharacters) break;
      whole.push(line);
    }
  }
  if (whole !== undefined) yield { text: whole.join("\n"), source: "stdin" };
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const engineIn = async (text: string, source: string, options: ImportOptions): Promise<Engine> => {
  const exported = exportedIn(text);
  const engine = exported ?? create(EngineSchema, parseManifest(text, source));
  if (options.activate === true) engine.status = "active";
  if (options.makePublic === true) engine.isPublic = true;
  if (options.archive !== undefined) engine.hash = await archiveHash(options.archive);
  return engine;
};

/** The engine of a line that an export, or the API, wrote: it has an id, which a manifest has not. */
const exportedIn = (text: string): Engine | undefined => {
  if (!text.includes('"userName"')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || !("userName" in parsed) || !("id" in parsed)) return undefined;
  try {
    // Strict: what an export has written is read as it is, or not at all.
    return fromJson(EngineSchema, parsed as JsonValue);
  } catch (error) {
    throw new UnacceptableEngineError((error as Error).message);
  }
};

const ownersOf = ({ user }: ImportOptions, ensure: (name: string) => User): ((engine: Engine) => User) => {
  const known = new Map<string, User>();
  return (engine) => {
    const name = user ?? engine.userName;
    if (name === "") throw new UnacceptableEngineError("whose is it? name the user with --user");
    const owner = known.get(name) ?? ensure(name);
    known.set(name, owner);
    return owner;
  };
};

const archiveHash = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("base64");
};

/** What is wrong with a file or a line; a fault of ours, or of the database, is no problem of theirs. */
const problemsOf = (error: unknown, source: string): ReadonlyArray<string> => {
  if (error instanceof ManifestError) return error.problems;
  const { code, message } = error as NodeJS.ErrnoException;
  const unreadable = code !== undefined && code !== "ERR_SQLITE_ERROR";
  if (unreadable || error instanceof UnacceptableEngineError || error instanceof AccountError) {
    return [`${source}: ${message}`];
  }
  throw error;
};
