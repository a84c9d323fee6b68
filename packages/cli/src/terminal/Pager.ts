// Pager: choice, check, start.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { Environment } from "./Terminal.ts";

/** Variables withheld from the pager. */
const secretVariables = new Set(["BYTENITE_TOKEN", "BYTENITE_API_KEY"]);

/** Builtins and keywords of the shell. */
const shellWords = new Set(["command", "eval", "exec", "cd", "set", "export", "unset", "if", "for", "while", "case"]);

/** The missing program of a shell command; undefined if it exists or the command is not plain. */
export const missingProgram = (command: string, env: Environment): string | undefined => {
  const [, word] = /^\s*([A-Za-z0-9._/+-]+)(?:\s|[;&|<>]|$)/.exec(command) ?? [];
  // Windows finds programs by other endings, too.
  if (word === undefined || shellWords.has(word) || process.platform === "win32") return undefined;
  return isInstalled(word, env["PATH"]) ? undefined : word;
};

/** Whether there is a program of that name or path. */
export const isInstalled = (name: string, path = ""): boolean =>
  (name.includes("/") ? [""] : path.split(delimiter).filter(isAbsolute)).some((directory) => {
    try {
      const path = join(directory, name);
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });

/** Starts the pager, with git's default options; undefined if it cannot be started. */
export const startPager = async (command: string, env: Environment): Promise<ChildProcess | undefined> => {
  const { spawn } = await import("node:child_process");
  const child = spawn(command, {
    shell: true,
    stdio: ["pipe", "inherit", "inherit"],
    env: {
      LESS: "FRX",
      LV: "-c",
      ...Object.fromEntries(Object.entries(env).filter(([name]) => !secretVariables.has(name))),
      // Windows looks in the working folder first, where anybody may have put a program.
      NoDefaultCurrentDirectoryInExePath: "1",
    },
  });
  child.stdin.on("error", () => {});
  return Promise.race([once(child, "spawn").then(() => child), once(child, "error").then(() => undefined)]);
};
