// Runs a tool of this repo with our own terminal.
import { spawn } from "node:child_process";

/** Resolves with the exit code of the command; 130 where a signal ended it. */
export const exitCodeOf = (command: string, args: ReadonlyArray<string>): Promise<number> =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: "inherit",
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
      // There the commands of packages are batch files.
      shell: process.platform === "win32",
    });
    child.on("error", (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      resolve(1);
    });
    child.on("exit", (code, signal) => resolve(code ?? (signal === null ? 1 : 130)));
  });

/** Resolves when the command ends with 0; ends this process with the command's code otherwise. */
export const run = async (command: string, args: ReadonlyArray<string>): Promise<void> => {
  const code = await exitCodeOf(command, args);
  if (code !== 0) process.exit(code);
};
