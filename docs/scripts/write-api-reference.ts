// Writes the API reference of the published libraries for people: `dist/api/PACKAGE/ENTRY.md`, by TypeDoc from the built
// declarations. `bne` has a reference of its own.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, OptionDefaults, type TypeDocOptions } from "typedoc";

const packages = fileURLToPath(new URL("../../packages", import.meta.url));
const reference = fileURLToPath(new URL("../dist/api", import.meta.url));

const libraries = ["core", "http-cache", "proto", "registry"];

interface Manifest {
  readonly name: string;
  readonly publishConfig: { readonly exports: Readonly<Record<string, { readonly types: string }>> };
}

/** One entry of a package, e.g. `core/promise` of `@bytenite-engines/core/promise`. */
interface Entry {
  readonly page: string;
  readonly specifier: string;
  readonly declarations: string;
}

const entriesOf = (library: string): ReadonlyArray<Entry> => {
  const folder = join(packages, library);
  const { name, publishConfig } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  return Object.entries(publishConfig.exports).map(([path, { types }]) => ({
    page: join(library, path === "." ? "index" : path),
    specifier: join(name, path),
    declarations: join(folder, types),
  }));
};

const entries = libraries.flatMap(entriesOf);

/** The compiler that reads the declarations. Packages see each other's, not the sources that a workspace has. */
const compilerOptions = {
  target: "es2023",
  module: "nodenext",
  lib: ["es2024", "dom", "dom.iterable", "dom.asynciterable"],
  types: ["node"],
  typeRoots: [fileURLToPath(new URL("../../node_modules/@types", import.meta.url))],
  strict: true,
  skipLibCheck: true,
  noEmit: true,
  paths: Object.fromEntries(entries.map(({ specifier, declarations }) => [specifier, [declarations]])),
};

/** TypeDoc's options, and those of its plugin for Markdown, which its types do not know. */
const options: Partial<TypeDocOptions> & Record<string, unknown> = {
  outputs: [{ name: "markdown", path: reference }],
  plugin: ["typedoc-plugin-markdown"],
  entryPoints: entries.map(({ declarations }) => declarations),
  readme: "none",
  name: "API reference",
  logLevel: "Warn",
  disableSources: true,
  excludePrivate: true,
  excludeExternals: true,
  // The generator of protobuf types marks each field so; the comment before it says the same for people.
  blockTags: [...OptionDefaults.blockTags, "@generated"],
  excludeTags: ["@generated"],
  // A type outside an entry is shown where it is used.
  validation: { notExported: false, invalidLink: true, notDocumented: false },
  outputFileStrategy: "modules",
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  typeDeclarationFormat: "table",
  propertyMembersFormat: "table",
};

/** How TypeDoc names the module of a file: by its path, here below the packages. */
const nameOf = (declarations: string): string =>
  relative(packages, declarations)
    .replace(/\.d\.ts$/, "")
    .replace(/\/index$/, "");

const temporary = mkdtempSync(join(tmpdir(), "api-reference-"));
try {
  const tsconfig = join(temporary, "tsconfig.json");
  writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: entries.map(({ declarations }) => declarations) }));
  const application = await Application.bootstrapWithPlugins({ ...options, tsconfig });
  const project = await application.convert();
  if (project === undefined) throw new Error("The declarations cannot be read: build the packages first.");
  for (const module of project.children ?? []) {
    const entry = entries.find(({ declarations }) => nameOf(declarations) === module.name);
    if (entry !== undefined) module.name = entry.page;
  }
  rmSync(reference, { recursive: true, force: true });
  await application.generateOutputs(project);
  if (application.logger.hasErrors() || application.logger.hasWarnings()) process.exitCode = 1;
} finally {
  rmSync(temporary, { recursive: true });
}
