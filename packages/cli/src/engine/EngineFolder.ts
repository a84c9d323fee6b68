// Files of an engine's folder, and their problems.
import { didYouMean } from "@bytenite-engines/core/wire";
import { UsageError } from "@bytenite-engines/registry/command";
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  type Stats,
} from "node:fs";
import { join } from "node:path";
import {
  archiveLimits,
  makePathCheck,
  ManifestError,
  maxManifestBytes,
  parseManifest,
} from "@bytenite-engines/registry/archive";
import ignore, { type Ignore } from "ignore";
import { reasonOf } from "../config/Files.ts";
import { secretIn, secretName } from "./Secrets.ts";

/** Name of the file that describes an engine, at the top of its folder. */
export const manifestName = "manifest.json";
/** Folder of the code, in which the entrypoint lies. */
export const codeFolder = "app";
/** Name of the file that says what is left out of the archive, in the syntax of .gitignore. */
export const ignoreName = ".bneignore";

/** Longest .bneignore, in bytes. */
const maxIgnoreBytes = 65_536;
/** Bytes of a file that are searched for secrets. */
const searchedBytes = 1_048_576;

/** Left out of every archive; a line `!NAME` in .bneignore takes one back. */
export const leftOutByDefault: ReadonlyArray<string> = [
  ".git/",
  ".hg/",
  ".svn/",
  ".DS_Store",
  "Thumbs.db",
  "__pycache__/",
  "*.py[cod]",
  ".venv/",
  "node_modules/",
];

/** Types that engines are documented to have. */
export const engineTypes = ["partitioner", "assembler"] as const;

/** A file that goes into the archive. */
export interface EngineFile {
  /** Below the folder, with slashes. */
  readonly path: string;
  readonly bytes: number;
  readonly isExecutable: boolean;
}

/** Something that is wrong with a folder. An `error` keeps it from being pushed. */
export interface Problem {
  readonly severity: "error" | "warning";
  /** The file, with line and column where there are such. */
  readonly place: string;
  readonly problem: string;
}

/** An engine's folder as it was found. */
export interface EngineFolder {
  readonly path: string;
  /** name@version, when the manifest says so. */
  readonly tag: string | undefined;
  /** By path, in the order of their bytes, the manifest first. */
  readonly files: ReadonlyArray<EngineFile>;
  /** Errors first: warnings are looked for last. */
  readonly problems: ReadonlyArray<Problem>;
}

/** Reads a folder. Throws UsageError when there is no such folder or nothing in it describes an engine. */
export const readEngineFolder = (path: string, shown: string): EngineFolder => {
  assertFolder(path, shown);
  const problems: Array<Problem> = [];
  const found = listFiles(path, ignoreOf(path, shown), problems);
  const isNamed =
    found.some((file) => file.path === manifestName) || problems.some(({ place }) => place === manifestName);
  if (!isNamed) throw withoutManifest(path, shown);
  const files = found.toSorted(manifestFirst);
  checkNames(files, problems);
  const tag = checkManifest(path, files, problems);
  checkSecrets(path, files, problems);
  return { path, tag, files, problems };
};

const manifestFirst = (a: EngineFile, b: EngineFile): number =>
  Number(b.path === manifestName) - Number(a.path === manifestName) ||
  Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));

const assertFolder = (path: string, shown: string): void => {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (error) {
    throw new UsageError(`Cannot read the folder ${shown}: ${reasonOf(error, "read")}`, "`bne new NAME` makes one.");
  }
  if (!stats.isDirectory()) throw new UsageError(`${shown} is not a folder`, "Name the folder of the engine.");
};

const withoutManifest = (path: string, shown: string): UsageError => {
  const below = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isThere(join(path, entry.name, manifestName)))
    .map(({ name }) => join(shown, name));
  const other = readdirSync(path).find((name) => name.toLowerCase() === manifestName);
  const hint =
    other === undefined
      ? below.length > 0
        ? `There is one in ${below.slice(0, 3).join(", ")}.`
        : "`bne new NAME` makes a folder with one; `bne help manifests` says what is in it."
      : `Rename ${other} to ${manifestName}.`;
  return new UsageError(`There is no ${manifestName} in ${shown}`, hint);
};

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

const ignoreOf = (path: string, shown: string): Ignore => {
  const rules = ignore().add([...leftOutByDefault]);
  if (!isThere(join(path, ignoreName))) return rules;
  try {
    const bytes = readFile(join(path, ignoreName), maxIgnoreBytes + 1);
    // The rest may name what must not be sent.
    if (bytes.length > maxIgnoreBytes) throw new Error(`it is larger than ${maxIgnoreBytes} bytes`);
    return rules.add(bytes.toString("utf8").replace(/^\ufeff/, ""));
  } catch (error) {
    throw new UsageError(`Cannot read ${join(shown, ignoreName)}: ${reasonOf(error, "read")}`);
  }
};

const listFiles = (root: string, rules: Ignore, problems: Array<Problem>): ReadonlyArray<EngineFile> => {
  const files: Array<EngineFile> = [];
  const error = (place: string, problem: string): void => void problems.push({ severity: "error", place, problem });
  const list = (below: string): void => {
    for (const name of readdirSync(join(root, below)).toSorted()) {
      const path = `${below}${name}`;
      const stats = lstatSync(join(root, path), { throwIfNoEntry: false });
      if (stats === undefined) {
        // Read as UTF-8, the name of a file may become that of none.
        error(path, name.includes("\ufffd") ? "has a name that is not UTF-8; rename it" : "was removed meanwhile");
        continue;
      }
      const isFolder = stats.isDirectory();
      if (path !== manifestName && rules.ignores(isFolder ? `${path}/` : path)) continue;
      if (!stats.isSymbolicLink() && !mayRead(join(root, path), isFolder)) error(path, "cannot be read: you may not");
      else if (isFolder) list(`${path}/`);
      else if (!stats.isFile())
        error(path, `is ${kindOf(stats)}; an archive holds files only. Copy it, or name it in ${ignoreName}.`);
      else if (files.length >= archiveLimits.entries) {
        throw new UsageError(
          `There are more than ${archiveLimits.entries} files in ${root}`,
          `Name what is not needed in ${ignoreName}.`,
        );
      } else {
        // Only what the owner may do counts: group and others differ from machine to machine.
        files.push({ path, bytes: stats.size, isExecutable: (stats.mode & 0o100) !== 0 });
      }
    }
  };
  list("");
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes > archiveLimits.unpackedBytes)
    error(
      ".",
      `holds ${bytes} bytes; ${archiveLimits.unpackedBytes} are the most. Name what is not needed in ${ignoreName}.`,
    );
  return files;
};

const mayRead = (path: string, isFolder: boolean): boolean => {
  try {
    accessSync(path, isFolder ? constants.R_OK | constants.X_OK : constants.R_OK);
    return true;
  } catch {
    return false;
  }
};

const kindOf = (stats: Stats): string => (stats.isSymbolicLink() ? "a link" : "no regular file");

const checkNames = (files: ReadonlyArray<EngineFile>, problems: Array<Problem>): void => {
  const check = makePathCheck();
  for (const { path } of files) {
    const problem = check(path, "file");
    if (problem !== undefined) problems.push({ severity: "error", place: path, problem });
  }
};

/** Checks the manifest and gives its tag. */
const checkManifest = (
  root: string,
  files: ReadonlyArray<EngineFile>,
  problems: Array<Problem>,
): string | undefined => {
  const manifest = files.find(({ path }) => path === manifestName);
  if (manifest === undefined) return undefined;
  if (manifest.bytes > maxManifestBytes) {
    problems.push({ severity: "error", place: manifestName, problem: `is larger than ${maxManifestBytes} bytes` });
    return undefined;
  }
  const bytes = readFile(join(root, manifestName), maxManifestBytes);
  let engine: ReturnType<typeof parseManifest>;
  try {
    engine = parseManifest(new TextDecoder("utf-8", { fatal: true }).decode(bytes), manifestName);
  } catch (error) {
    if (error instanceof ManifestError) problems.push(...error.problems.map(manifestProblem));
    else problems.push({ severity: "error", place: manifestName, problem: "is not UTF-8" });
    return undefined;
  }
  const warn = (problem: string, place = manifestName): void =>
    void problems.push({ severity: "warning", place, problem });
  const { name = "", version = "", type = "", entrypoint = "", platformConfig } = engine;
  if (!(engineTypes as ReadonlyArray<string>).includes(type)) {
    warn(
      `type is ${JSON.stringify(type)}; ${engineTypes.join(" and ")} are known${hinted(didYouMean(type, engineTypes))}`,
    );
  }
  if (!files.some(({ path }) => path === `${codeFolder}/${entrypoint}`)) {
    warn("is missing: it is the entrypoint, which is started first", `${codeFolder}/${entrypoint}`);
  }
  if ((platformConfig?.token ?? "") !== "") {
    warn("carries platform_config.token: whoever may download the archive can read it");
  }
  return `${name}@${version}`;
};

const hinted = (hint: string | undefined): string => (hint === undefined ? "" : `. ${hint}`);

/** `manifest.json:3:13: version must be ...` in parts. */
const manifestProblem = (text: string): Problem => {
  const [, place = manifestName, problem = text] = /^([^\s]+?):? (.*)$/s.exec(text) ?? [];
  return { severity: "error", place: place.replace(/:$/, ""), problem };
};

const checkSecrets = (root: string, files: ReadonlyArray<EngineFile>, problems: Array<Problem>): void => {
  for (const { path } of files) {
    const secret = secretName(path) ?? secretIn(readFile(join(root, path), searchedBytes).toString("latin1"));
    if (secret === undefined) continue;
    const problem = `${secret}: whoever may download the archive can read it. Name it in ${ignoreName} if that is not meant.`;
    problems.push({ severity: "warning", place: path, problem });
  }
};

/** The first bytes of a file, `most` of them. Links are not followed, and a FIFO is not waited for; Windows has no such flags. */
const readFile = (path: string, most: number): Buffer => {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.allocUnsafe(Math.min(most, fstatSync(descriptor).size));
    for (let length = 0; ;) {
      const read = readSync(descriptor, bytes.subarray(length));
      if (read === 0) return bytes.subarray(0, length);
      length += read;
    }
  } finally {
    closeSync(descriptor);
  }
};

/** The whole of a file that was found. Throws UsageError when it is another one by now. */
export const contentOf = ({ path }: EngineFolder, file: EngineFile): Buffer => {
  let bytes: Buffer;
  try {
    bytes = readFile(join(path, file.path), archiveLimits.unpackedBytes);
  } catch (error) {
    throw new UsageError(`Cannot read ${join(path, file.path)}: ${reasonOf(error, "read")}`);
  }
  if (bytes.length === file.bytes) return bytes;
  throw new UsageError(`${join(path, file.path)} changed while it was read`, "Try again when nothing writes there.");
};
