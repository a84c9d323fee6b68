// `registry serve`: start, signals, end.
import inspector from "node:inspector";
import { firstManageToken, listCredentials } from "../manage/Accounts.ts";
import { trialTokenOf } from "../manage/Trial.ts";
import { startRegistryServer, type RegistryOptions, type RunningRegistry } from "../node/Registry.ts";
import { settingsOf } from "./Settings.ts";
import { databaseProblem } from "./Database.ts";

/** Runs until SIGINT or SIGTERM; a second signal ends it at once. Resolves to the exit code; 1 when it could not start. */
export const serve = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = await settingsOf(args, process.env, (line) => void process.stderr.write(`registry: ${line}\n`));
  const ended = signalled();
  let registry: RunningRegistry;
  try {
    registry = await startRegistryServer(options);
  } catch (error) {
    process.stderr.write(`registry: ${startProblem(error, options)}\n`);
    return 1;
  }
  if (registry.file.access !== "read-write") {
    process.stderr.write(`registry: ${options.database} cannot be written: it is served as it is\n`);
  }
  for (const name of registry.trial ? trialNames(registry.file) : []) {
    process.stderr.write(`trial user ${name}, token ${trialTokenOf(name)}\n`);
  }
  if (registry.trial || process.stderr.isTTY) {
    const made = registry.trial ? "" : " with a token of `bne registry token create --user NAME`";
    process.stderr.write(`log in${made}: bne auth login --base-url ${registry.url}\n`);
  }
  // Only to a person: a log is kept, and read by others. A trial has nothing to be managed.
  if (process.stderr.isTTY && !registry.trial) {
    const token = await firstManageToken(registry.file, Date.now());
    if (token !== undefined) process.stderr.write(`manage token of user operator, shown this once: ${token}\n`);
  }
  if (process.platform !== "win32") process.on("SIGHUP", registry.reopenLog);
  closeDebugger();
  process.stdout.write(`ready ${registry.origin}\n`);
  await ended;
  await registry.stop();
  return 0;
};

/** Users who have a trial token that is good; none where they cannot be read, which must not keep it from serving. */
const trialNames = (file: RunningRegistry["file"]): ReadonlyArray<string> => {
  try {
    const trial = listCredentials(file).filter(
      ({ kind, revokedAt, userDisabledAt }) =>
        kind === "trial" && revokedAt === undefined && userDisabledAt === undefined,
    );
    return [...new Set(trial.map(({ user }) => user).toSorted())];
  } catch {
    return [];
  }
};

/** Closes the debugger that a SIGUSR1 has opened while Node was starting; one that was asked for stays. */
const closeDebugger = (): void => {
  const options = [...process.execArgv, process.env["NODE_OPTIONS"]].join(" ");
  if (!options.includes("--inspect")) inspector.close();
};

/** Resolves at the first SIGINT or SIGTERM. The second one finds no listener, and does what it always does. */
const signalled = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });

const startProblem = (error: unknown, options: RegistryOptions): string => {
  const { code, port = options.port } = error as { readonly code?: string; readonly port?: number };
  const { host = "127.0.0.1", database } = options;
  // Both ports are of this process: the one that could not be had is the one to be changed.
  const isAdmin = port === options.adminPort;
  const where = `port ${port} on ${isAdmin ? "127.0.0.1" : host}`;
  if (code === "EADDRINUSE") return `${where} is in use: choose another with ${isAdmin ? "--admin-port" : "--port"}`;
  if (code === "EACCES") return `${where} may not be used by this user: choose one above 1023`;
  if (code === "EADDRNOTAVAIL") return `${host} is not an address of this machine: choose another with --host`;
  return databaseProblem(error, database);
};
