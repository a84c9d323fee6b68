// Decides: where files of this program are kept on each system. Pure: system and environment are given.
import { posix, win32 } from "node:path";
import type { Environment } from "../terminal/Terminal.ts";

/** Directories for settings and for what may be lost. */
export interface Directories {
  readonly config: string;
  readonly cache: string;
}

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
