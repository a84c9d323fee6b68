// Commands of a consumer, with their output in errors.
import { execFile } from "node:child_process";

/** Runs a command in a folder. Resolves with its stdout; rejects with all it printed when its exit code is not 0. */
export const ran = (
  command: string,
  args: ReadonlyArray<string>,
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = { cwd, env: { ...environment(), ...env }, maxBuffer: 64 * 1_024 * 1_024 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${[command, ...args].join(" ")} in ${cwd}: ${error.message}\n${stdout}${stderr}`));
    });
  });

/** Our environment without what a package manager that started us says of itself: it would steer the one we start. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:npm_(?!config_)|pnpm_|INIT_CWD$)/i.test(name)),
  );
