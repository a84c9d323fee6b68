// Main module: frequent answers at once, the rest on demand.
import * as module from "node:module";
import { join } from "node:path";
import { directoriesOf, homeDirectory, isOwnDirectory } from "./config/Directories.ts";
import { printText } from "./terminal/PlainText.ts";
import { version } from "./Version.ts";

/** Caches compiled code for the next start; not below /tmp, Node's default, where other users could place code. */
const keepCompiledCode = (): void => {
  // Not in Node 20.
  const enableCompileCache: typeof module.enableCompileCache | undefined = module.enableCompileCache;
  if (enableCompileCache === undefined) return;
  if (process.env["NODE_COMPILE_CACHE"] !== undefined) return void enableCompileCache();
  const directory = join(directoriesOf(process.platform, process.env, homeDirectory()).cache, "compiled");
  if (isOwnDirectory(directory)) enableCompileCache(directory);
};

/** Runs a command line and sets the exit code. */
export const main = async (argv: ReadonlyArray<string>): Promise<void> => {
  const [first, second] = argv;
  if (argv.length === 1 && (first === "--version" || first === "-V")) return printText(`${version}\n`);
  keepCompiledCode();
  if (argv.length === 2 && first === "completion") {
    const { completionScripts } = await import("./complete/Scripts.ts");
    const script = completionScripts.get(second ?? "");
    if (script !== undefined) return printText(script);
  }
  if (first === "__complete") {
    const { complete } = await import("./complete/Complete.ts");
    return complete(second ?? "", argv.slice(2));
  }
  const { run } = await import("./run.ts");
  process.exitCode = await run(argv);
};
