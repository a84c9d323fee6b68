// API reports of every published package: `api/PACKAGE/ENTRY.api.md`.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type ExtractorMessage,
} from "@microsoft/api-extractor";
import { published } from "../src/Tarballs.ts";

const packages = fileURLToPath(new URL("../../../..", import.meta.url));
const reports = fileURLToPath(new URL("../api", import.meta.url));

/** The compiler that reads the declarations: only what a consumer's would see, in the forms that a workspace has. */
const compilerOptions = {
  target: "es2023",
  module: "nodenext",
  moduleResolution: "nodenext",
  lib: ["es2024", "dom", "dom.iterable", "dom.asynciterable"],
  types: ["node"],
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  // The declarations of the other packages are next to these, as sources.
  allowImportingTsExtensions: true,
};

/** The entries of a package with their declarations: `trust` -> `dist/trust/index.d.ts`. */
const entriesOf = (folder: string): ReadonlyArray<readonly [name: string, declarations: string]> => {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly publishConfig: { readonly exports?: Readonly<Record<string, { readonly types: string }>> };
  };
  return Object.entries(manifest.publishConfig.exports ?? {}).map(([path, { types }]) => [
    path.slice(2) || "index",
    join(folder, types),
  ]);
};

/** Keeps what could not be read. That a report changed is not a problem: it is why this runs. */
const into =
  (problems: Array<string>) =>
  (message: ExtractorMessage): void => {
    message.handled = true;
    const isProblem = message.logLevel === ExtractorLogLevel.Error || message.logLevel === ExtractorLogLevel.Warning;
    if (isProblem && !message.messageId.startsWith("console-api-report")) {
      problems.push(message.formatMessageWithLocation(packages));
    }
  };

const configOf = (folder: string, reportFolder: string, entry: string, declarations: string): ExtractorConfig => {
  const none = { default: { logLevel: ExtractorLogLevel.None } };
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, "package.json"),
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: declarations,
      newlineKind: "lf",
      compiler: { overrideTsconfig: { compilerOptions, files: [declarations] } },
      apiReport: {
        enabled: true,
        reportFileName: entry,
        reportFolder,
        reportTempFolder: temporary,
        includeForgottenExports: true,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      // The rules of TSDoc are not ours.
      messages: { extractorMessageReporting: none, tsdocMessageReporting: none },
    },
  });
};

/** Writes the reports of one package. All its entries are read by one compiler, which is most of the work. */
const write = (name: string): void => {
  const folder = join(packages, name);
  const reportFolder = join(reports, name);
  const entries = entriesOf(folder);
  if (entries.length === 0) return;
  mkdirSync(reportFolder, { recursive: true });
  for (const file of readdirSync(reportFolder)) {
    if (!entries.some(([entry]) => `${entry}.api.md` === file)) rmSync(join(reportFolder, file));
  }
  const configs = entries.map(([entry, declarations]) => configOf(folder, reportFolder, entry, declarations));
  const [first] = configs;
  if (first === undefined) return;
  const additionalEntryPoints = entries.map(([, declarations]) => declarations);
  const compilerState = CompilerState.create(first, { additionalEntryPoints });
  const problems: Array<string> = [];
  for (const config of configs) {
    Extractor.invoke(config, { localBuild: true, compilerState, messageCallback: into(problems) });
  }
  if (problems.length > 0) throw new Error(`The declarations of ${name} cannot be read whole:\n${problems.join("\n")}`);
};

const temporary = mkdtempSync(join(tmpdir(), "api-"));
try {
  for (const name of published) write(name);
} finally {
  rmSync(temporary, { recursive: true });
}
