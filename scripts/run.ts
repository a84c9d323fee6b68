// Runs a tool of this repo with our own terminal, and ends with its exit code when it fails.
import { spawn } from "node:child_process";

/** Resolves when the command ends with 0; ends this process with the command's code otherwise. */
export const run = (command: string, args: ReadonlyArray<string>): Promise<void> =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" } });
    child.on("error", (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      process.exit(1);
    });
    child.on("exit", (code, signal) => (code === 0 ? resolve() : process.exit(code ?? (signal === null ? 1 : 130))));
  });
