// Arguments of the local Worker commands: `--port P --upstream URL`.
import { parseArgs } from "node:util";

export interface ServeArguments {
  readonly port: number;
  readonly upstream: string;
}

/** Prints the usage for `--help`, and ends. Throws an Error whose message is one sentence. */
export const readArguments = (args: ReadonlyArray<string>, usage: string): ServeArguments => {
  if (args.includes("--help")) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  let values: { port?: string | undefined; upstream?: string | undefined };
  try {
    // `pnpm proxy -- --port 1` hands the dashes on.
    const given = args.filter((argument) => argument !== "--");
    ({ values } = parseArgs({ args: given, options: { port: { type: "string" }, upstream: { type: "string" } } }));
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}. ${usage}`, { cause: error });
  }
  const port = Number(values.port ?? Number.NaN);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`--port must be a whole number from 0 to 65535. ${usage}`);
  }
  // The Worker would take the default API for an empty one.
  if (values.upstream === undefined || values.upstream.trim() === "")
    throw new Error(`--upstream is missing. ${usage}`);
  return { port, upstream: values.upstream };
};

/** Runs a command; what it throws becomes one sentence on standard error and exit code 1. */
export const runCommand = async (command: () => Promise<void>): Promise<void> => {
  try {
    await command();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
};
