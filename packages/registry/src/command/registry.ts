// The commands of `bne registry ...` and `pnpm registry ...`.
import { plainOutput, type CommandOutput } from "./Output.ts";
import { didYouMean } from "@bytenite-engines/core/wire";
import { UsageError, UserError, writeFailure, type FailureFormat } from "./UserError.ts";

/** Help for all of it. */
export const registryUsage = `Usage: registry COMMAND [--database FILE] [options]   (or REGISTRY_DATABASE; default .data/registry.sqlite)

Run
  serve                    run until SIGINT or SIGTERM; the default command
    --port P --host ADDR     listening address (4010 on 127.0.0.1; port 0: a free one)
    --admin-port P           /metrics and /faults on 127.0.0.1:P (default: on --port if that is on loopback)
    --public-url URL         base of links to archives; or REGISTRY_PUBLIC_URL
    --archives DIR           folder of archives (the database's path and ".archives"); or REGISTRY_ARCHIVES
    --allowed-hosts A,B      accepted Host names besides loopback; or REGISTRY_ALLOWED_HOSTS
    --tokens FILE            tokens by user, {"alice": ["..."]}; or the same in REGISTRY_TOKENS
    --access-log TARGET      a line of JSON per request, to stderr or a file; SIGHUP reopens the file
    --config FILE            settings as JSON, also limits; without trial users
    --faults FILE|on         inject faults, by rules or by PUT /faults
    --field-numbers FILE     other field numbers in protobuf: message -> field -> number
    --no-schema-digest       omit the header with the schema digest
    --no-trial               no trial users, and no trial tokens

Import and export
  import PATH...           manifest.json files, trees, globs, or - for stdin (one manifest, or a line of JSON each)
    --user NAME              owner of the engines; --create-user makes a new one without a question
    --activate --public      activate them; make them public
    --archive FILE           take the hash from this archive (one manifest only)
    --with-archives DIR      store the archives of an export's engines, too
  export                   a line of JSON per engine; --user NAME for one user's; --with-secrets
    --format sql             everything, as SQL for a D1 database that has its tables and nothing else
    --with-archives DIR      write the archives into this folder, too; with sql as they are in the bucket, below archives/

Back up
  backup FILE              copy the database, also while it is served
  backup DIR --keep N      the same, named by time; keeps the newest N
  restore FILE             replace the database by a backup or an export of D1; --force if it has engines
    --revoke-all             revoke all tokens and keys of the backup
    --yes                    keep them without a question
  check                    read everything and name damage; exit code 1 if there is any

Manage the database, or with --base-url URL and BYTENITE_MANAGE_TOKEN a registry elsewhere
  users                    list users
  users create NAME        also disable, enable, delete NAME
    --hand-over-to NAME      new owner of a deleted user's engines; or --delete-engines
    --yes                    delete without a question
  quota NAME               --max-engines N --max-bytes N, none for no limit; users create takes them, too
  token create|list|revoke ID    tokens for the API; --user NAME --scope read|publish|manage --label TEXT --expires-in DAYS
                                 --create-user creates user and database without a question
  key create|list|revoke ID      API keys, exchanged at /v1/auth/access_token
  engines                  of all users, or of --user NAME; --limit N
  activate TAG...          with --user NAME; also deactivate, delete, make-public, make-private
  audit                    who changed what, newest first; --user NAME --since TIME --limit N
  statistics               numbers of users, engines, credentials

  --output json            errors as one JSON object on stderr; or BYTENITE_OUTPUT=json

BYTENITE_REGISTRY_KEY      key for secrets at rest and for access tokens, at least 32 characters
`;

export type { CommandOutput, RegistryRow } from "./Output.ts";
export { assertDeletion } from "./Output.ts";
export { assertSendable, UsageError, UserError } from "./UserError.ts";

type Command = (args: ReadonlyArray<string>, output: CommandOutput) => Promise<number>;

// Loaded when they are needed: a command line should not wait for the parts of another.
const serve: Command = async (args) => {
  ignoreStraySignals();
  return (await import("./serve.ts")).serve(args);
};

/**
 * A terminal that closes and a rotation of logs send SIGHUP, which ends a process that does not listen, also while its code is
 * loaded. SIGUSR1 opens Node's debugger, through which everybody on this machine runs code, unless somebody listens.
 */
const ignoreStraySignals = (): void => {
  if (process.platform === "win32") return;
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => {});
};

const changing =
  (how: "activate" | "deactivate" | "delete" | "make-public" | "make-private"): Command =>
  async (args, output) =>
    (await import("./manage.ts")).change(how, args, output);

const crediting =
  (kind: "token" | "api-key"): Command =>
  async (args, output) =>
    (await import("./manage.ts")).credentials(kind, args, output);

const help: Command = async () => {
  process.stdout.write(registryUsage);
  return 0;
};

const commands: Readonly<Record<string, Command>> = {
  serve,
  import: async (...given) => (await import("./import.ts")).importAll(...given),
  export: async (args) => (await import("./export.ts")).exportAll(args),
  activate: changing("activate"),
  deactivate: changing("deactivate"),
  delete: changing("delete"),
  "make-public": changing("make-public"),
  "make-private": changing("make-private"),
  backup: async (...given) => (await import("./backup.ts")).backup(...given),
  restore: async (...given) => (await import("./backup.ts")).restore(...given),
  check: async (...given) => (await import("./check.ts")).check(...given),
  users: async (...given) => (await import("./manage.ts")).users(...given),
  quota: async (...given) => (await import("./manage.ts")).quota(...given),
  engines: async (...given) => (await import("./manage.ts")).list("engines", ...given),
  audit: async (...given) => (await import("./manage.ts")).list("audit", ...given),
  statistics: async (...given) => (await import("./manage.ts")).statistics(...given),
  token: crediting("token"),
  key: crediting("api-key"),
};

/**
 * Runs a command line: `args` is what comes after `registry`. Data goes to stdout, everything else to stderr. Resolves to
 * the exit code, as of `bne`.
 */
export const runRegistry = async (given: ReadonlyArray<string>): Promise<number> => {
  const { args, format } = failureFormatOf(given);
  try {
    return await executeRegistry(args, plainOutput);
  } catch (error) {
    // A path that does not exist, errors for the user, and those of calls. Anything else is a fault of ours, and shows its stack.
    const { code, name } = error as NodeJS.ErrnoException;
    const isExpected = error instanceof UserError || name === "EngineError" || code !== undefined;
    if (!isExpected) throw error;
    return writeFailure(error as Error, format);
  }
};

/** The first failure to write to stdout. */
let unwritten: NodeJS.ErrnoException | undefined;

const onUnwritten = (error: NodeJS.ErrnoException): void => {
  unwritten ??= error;
};

/** The same without printing failures: rejects with UserError, UsageError, EngineError of a registry elsewhere, or an error of the
 * system, which has a `code`. */
export const executeRegistry = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const [first = "serve", ...rest] = args;
  const isHelp = first === "help" || args.includes("--help") || args.includes("-h");
  const named = first.startsWith("-") ? serve : Object.hasOwn(commands, first) ? commands[first] : undefined;
  const command = isHelp ? help : named;
  // Output to a full disk, or to nobody, is an error of these streams, which would end the process.
  if (!process.stdout.listeners("error").includes(onUnwritten)) {
    process.stdout.on("error", onUnwritten);
    process.stderr.on("error", () => {});
  }
  if (command === undefined) {
    throw new UsageError(
      `there is no command ${JSON.stringify(first.slice(0, 100))}`,
      didYouMean(first, [...Object.keys(commands), "help"]),
    );
  }
  const exitCode = await command(first.startsWith("-") ? args : rest, output);
  await written();
  // A reader that has had enough leaves on purpose; `serve` goes on without one.
  if (command === serve || unwritten === undefined || unwritten.code === "EPIPE") return exitCode;
  throw new UserError(`stdout cannot be written: ${unwritten.message}`);
};

/** Resolves when what was written to stdout is, or has failed. */
const written = (): Promise<void> => new Promise((resolve) => process.stdout.write("", () => setImmediate(resolve)));

/** Takes `--output json` out of a command line: it is the format of failures, whatever the command. So is BYTENITE_OUTPUT. */
const failureFormatOf = (
  given: ReadonlyArray<string>,
): { readonly args: ReadonlyArray<string>; readonly format: FailureFormat } => {
  const at = given.findIndex((arg) => arg === "--output=json" || arg === "--output" || arg === "-o");
  const length = given[at] === "--output=json" ? 1 : 2;
  const isJson = at >= 0 && (length === 1 || given[at + 1] === "json");
  if (isJson) return { args: given.toSpliced(at, length), format: "json" };
  return { args: given, format: process.env["BYTENITE_OUTPUT"] === "json" ? "json" : "text" };
};
