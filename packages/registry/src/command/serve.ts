// Decides: how a registry is started from a command line, and how it ends.
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { FieldNumbers } from "../api/FieldNumbers.ts";
import { startRegistryServer, type RegistryOptions, type RunningRegistry } from "../node/Registry.ts";
import { tokensIn } from "./Tokens.ts";

const usage = `Usage: registry --database FILE [options]

  --port P               port to listen on (default 4010; 0 takes a free one)
  --host ADDRESS         address to listen on (default 127.0.0.1)
  --database FILE        SQLite file, made when it does not exist
  --tokens FILE          tokens by user, {"alice": ["..."]}; or REGISTRY_TOKENS with the same JSON
  --field-numbers FILE   another numbering of the protobuf answers: message -> field -> number
  --no-schema-digest     leave out the header that names the schema
  --no-trial             no trial users in a new database
  BYTENITE_REGISTRY_KEY  key for secrets at rest and for access tokens, at least 32 characters
`;

/** Runs until SIGINT or SIGTERM. Resolves to the exit code: 0, 1 when it could not start, 2 for a wrong command line. */
export const serve = async (args: ReadonlyArray<string>): Promise<number> => {
  let options: RegistryOptions;
  try {
    const parsed = await optionsOf(args);
    if (parsed === undefined) {
      process.stdout.write(usage);
      return 0;
    }
    options = parsed;
  } catch (error) {
    process.stderr.write(`registry: ${messageOf(error)}\n\n${usage}`);
    return 2;
  }
  const ended = signalled();
  let registry: RunningRegistry;
  try {
    registry = await startRegistryServer(options);
  } catch (error) {
    process.stderr.write(`registry: ${startProblem(error, options)}\n`);
    return 1;
  }
  for (const [name, token] of Object.entries(registry.seeded)) {
    process.stderr.write(`trial user ${name}, token ${token}\n`);
  }
  process.stdout.write(`ready ${registry.origin}\n`);
  await ended;
  await registry.stop();
  return 0;
};

const optionsOf = async (args: ReadonlyArray<string>): Promise<RegistryOptions | undefined> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: "string", default: "4010" },
      host: { type: "string", default: "127.0.0.1" },
      database: { type: "string" },
      tokens: { type: "string" },
      "field-numbers": { type: "string" },
      "no-schema-digest": { type: "boolean", default: false },
      "no-trial": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  if (values.database === undefined) throw new Error("--database is missing");
  const port = Number(values.port);
  if (!/^[0-9]+$/.test(values.port) || port > 65_535) throw new Error("--port must be a number from 0 to 65535");
  const fieldNumbers = values["field-numbers"];
  return {
    port,
    host: values.host,
    database: values.database,
    key: process.env["BYTENITE_REGISTRY_KEY"] || undefined,
    tokens: await tokensIn(values.tokens, process.env["REGISTRY_TOKENS"]),
    trial: values["no-trial"] ? false : undefined,
    schemaDigest: !values["no-schema-digest"],
    ...(fieldNumbers === undefined
      ? {}
      : { fieldNumbers: JSON.parse(await readFile(fieldNumbers, "utf8")) as FieldNumbers }),
  };
};

/** Resolves at the first SIGINT or SIGTERM. */
const signalled = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });

const startProblem = (error: unknown, { host, port, database }: RegistryOptions): string => {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === "EADDRINUSE") return `port ${port} on ${host} is in use: choose another with --port`;
  if (code === "EACCES") return `port ${port} on ${host} may not be used by this user: choose one above 1023`;
  if (code === "ERR_SQLITE_ERROR") return `cannot use the database ${database}: ${messageOf(error)}`;
  return messageOf(error);
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
