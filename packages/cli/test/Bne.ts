// The built bne as a process with a separate home.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { resultOf, type Result } from "@bytenite-engines/test-kit/process";

/** The file that is run. */
export const binPath = fileURLToPath(new URL("../bin/bne.js", import.meta.url));

/** What a run is given. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly cwd?: string;
}

/** A home directory that is gone at the end of a block. */
export interface Home extends Disposable {
  readonly path: string;
  readonly userFile: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A home directory for a test, and the environment that makes it one. */
export const makeHome = (): Home => {
  const path = mkdtempSync(join(tmpdir(), "bne-test-"));
  return {
    path,
    userFile: join(path, "config", "bytenite-engines", "config.json"),
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: path,
      TMPDIR: tmpdir(),
      XDG_CONFIG_HOME: join(path, "config"),
      XDG_CACHE_HOME: join(path, "cache"),
      TERM: "xterm-256color",
      // No keychain unless a test brings one.
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(path, "no-bus")}`,
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
};

/** Writes the user's file of settings. */
export const writeUserFile = (home: Home, text: string): void => {
  mkdirSync(dirname(home.userFile), { recursive: true });
  writeFileSync(home.userFile, text);
};

/** The environment in which a shell finds bne by its name, and bne a registry as one of its users. */
export const installed = (home: Home, registry: RegistryFacts, user: string): Record<string, string> => {
  const bin = join(home.path, "bin");
  mkdirSync(bin, { recursive: true });
  symlinkSync(binPath, join(bin, "bne"));
  const path = [bin, dirname(process.execPath), home.env["PATH"]].join(":");
  return { ...home.env, ...as(registry, user), PATH: path };
};

/** Starts bne in a home. */
export const startBne = (
  home: Home,
  args: ReadonlyArray<string>,
  options: RunOptions = {},
): ChildProcessWithoutNullStreams =>
  spawn(process.execPath, [binPath, ...args], { env: { ...home.env, ...options.env }, cwd: options.cwd ?? home.path });

/** Runs bne in a home to its end. */
export const bne = (home: Home, args: ReadonlyArray<string>, options: RunOptions = {}): Promise<Result> =>
  resultOf(startBne(home, args, options), options.input ?? "");

/** The bytes that a started process writes, which text would spoil. */
export const bytesOf = async (child: ChildProcessWithoutNullStreams): Promise<Uint8Array> => {
  const chunks: Array<Uint8Array> = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
};

/** Where a registry is, and who may ask it. */
interface RegistryFacts {
  readonly url: string;
  readonly tokens: Readonly<Record<string, string>>;
}

/** Environment that points at a registry as one of its users. */
export const as = (registry: RegistryFacts, user: string): Record<string, string> => ({
  BYTENITE_BASE_URL: registry.url,
  BYTENITE_TOKEN: registry.tokens[user] ?? "",
});
