// Directories of bne, and checks of their ownership.
import { existsSync, lstatSync, mkdirSync, readlinkSync, type Stats } from "node:fs";
import { homedir, userInfo } from "node:os";
import { dirname, isAbsolute, posix, resolve, win32 } from "node:path";
import type { Environment } from "../terminal/Terminal.ts";

/** Directories for settings and caches. */
export interface Directories {
  readonly config: string;
  readonly cache: string;
}

/**
 * The home directory: never a relative one, since files of the working folder may come from anybody. The root, where
 * nothing is found, for a user that the system does not know.
 */
export const homeDirectory = (): string => {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : userInfo().homedir;
  } catch {
    return "/";
  }
};

const ownName = "bytenite-engines";

/** XDG where it is set (on every system), else what the system is used to. `home` is the user's home directory. */
export const directoriesOf = (platform: NodeJS.Platform, env: Environment, home: string): Directories => {
  const paths = platform === "win32" ? win32 : posix;
  const join = (...parts: ReadonlyArray<string>): string => paths.join(...parts);
  // The XDG specification: a relative path is to be ignored.
  const absolute = (name: string): string | undefined => {
    const value = env[name];
    return value !== undefined && paths.isAbsolute(value) ? value : undefined;
  };
  const usual = {
    darwin: { config: join(home, "Library", "Application Support"), cache: join(home, "Library", "Caches") },
    win32: {
      config: absolute("APPDATA") ?? join(home, "AppData", "Roaming"),
      cache: absolute("LOCALAPPDATA") ?? join(home, "AppData", "Local"),
    },
    other: { config: join(home, ".config"), cache: join(home, ".cache") },
  }[platform === "darwin" || platform === "win32" ? platform : "other"];
  const cache = join(absolute("XDG_CACHE_HOME") ?? usual.cache, ownName);
  return {
    config: join(absolute("XDG_CONFIG_HOME") ?? usual.config, ownName),
    cache: platform === "win32" && absolute("XDG_CACHE_HOME") === undefined ? join(cache, "Cache") : cache,
  };
};

/** Whether it belongs to the user or to root. Windows has no such owners: there everything does. */
export const isOwned = ({ uid }: Pick<Stats, "uid">, own = process.getuid?.()): boolean =>
  own === undefined || uid === own || uid === 0;

const writableByOthers = 0o022;
const sticky = 0o1000;

/** Whether others can write it, or, for a directory, replace what is in it. */
export const isOpenToOthers = (stats: Stats): boolean =>
  process.getuid !== undefined &&
  (stats.mode & writableByOthers) !== 0 &&
  !(stats.isDirectory() && (stats.mode & sticky) !== 0);

/** Makes a directory for the user alone. Not the recursive `mkdirSync`: that one never ends where the system makes no directories, e.g. under /proc. */
export const makeDirectory = (path: string): void => {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if ((error as { code?: string }).code !== "EEXIST") throw error;
  }
};

/** A part of a path that somebody else owns or can write. */
export interface ForeignPart {
  readonly path: string;
  readonly stats: Stats;
}

/**
 * The first directory or link by which others could lead the path elsewhere, or undefined. Looks at every part from the home
 * directory on (elsewhere from the root), and at the parts of the targets of links.
 */
export const foreignPart = (path: string, followed = new Set<string>()): ForeignPart | undefined => {
  if (process.getuid === undefined) return undefined;
  for (const part of partsOf(path)) {
    const stats = lstatSync(part, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const isLink = stats.isSymbolicLink();
    if (!isLink && !stats.isDirectory()) return undefined;
    if (!isOwned(stats) || (!isLink && isOpenToOthers(stats))) return { path: part, stats };
    if (!isLink || followed.has(part)) continue;
    followed.add(part);
    const found = foreignPart(resolve(dirname(part), readlinkSync(part)), followed);
    if (found !== undefined) return found;
  }
  return undefined;
};

const partsOf = (path: string): ReadonlyArray<string> => {
  const home = homeDirectory();
  const parts = [resolve(path)];
  for (;;) {
    const part = parts[0] ?? "/";
    if (part === home || dirname(part) === part) return parts;
    parts.unshift(dirname(part));
  }
};

/** Makes a directory; true when only the user and root can put something into it, or something else into its place. */
export const isOwnDirectory = (path: string): boolean => {
  try {
    makeDirectory(path);
    return lstatSync(path).isDirectory() && foreignPart(path) === undefined;
  } catch {
    return false;
  }
};
