// Build of bne: one chunk per command, and the man pages.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown, type Plugin } from "rolldown";
import { lateWidth, leanBuiltins } from "./LeanBuiltins.ts";
import { licencesOf } from "./Licences.ts";
import { manPages } from "./ManPage.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}dist`;

/** Folder of the files that the registry's page is made of, and the package they come from. */
const pageFolder = "docs";
const pagePackage = "swagger-ui-dist";
const pageFiles = new Set<string>();

/**
 * Files of the registry's page lie in `dist`: the package has ten times as much, and depends on one that reports installs to
 * others.
 */
const ownPage: Plugin = {
  name: "own-page",
  transform: (code, id) => {
    if (!id.endsWith("/registry/src/node/DocsAssets.ts")) return null;
    const own = code.replaceAll(/import\.meta\.resolve\("swagger-ui-dist\/([\w.-]+)"\)/g, (_, file: string) => {
      pageFiles.add(file);
      return `new URL("./${pageFolder}/${file}", import.meta.url).href`;
    });
    return { code: own, map: null };
  },
};

/** What only some commands need, each for itself. */
const apart =
  /\/cli\/src\/(commands\/(?!Loaders|list|get)\w+|complete\/\w+|doctor\/\w+|engine\/\w+|parse\/Help|config\/AccessTokens|output\/(YamlWriter|JqFilter|FileShape|ProtobufWriter))\.ts$|\/core\/src\/ApiKey\.ts$/;
/** What runs before compiled code is kept: as little as can be. */
const starting = /\/cli\/(package\.json|src\/(main|Version|config\/Directories|terminal\/PlainText)\.ts)$/;
/** What every command that asks the API needs. */
const asking =
  /\/core\/src\/|\/node_modules\/(effect|@bufbuild|@noble)\/|\/http-cache\/|\/cli\/src\/(client\/\w+|commands\/(list|get)|config\/FieldNumberFiles|output\/\w+)\.ts$/;

/** Descriptors, and what of protobuf-es goes by them: for servers, and for few commands. */
const described =
  /\/proto\/src\/|\/core\/src\/(infer\/|(Encoding|CountedMessage|gen\/endpointSchemas)\.ts)|@bufbuild\/protobuf\/dist\/esm\/(?!wire\/|(create|fields|is-message|descriptors|proto-int64|reflect\/(unsafe|scalar|guard|error)|wkt\/wrappers)\.js)/;

/** The chunk of a module; each file costs half a millisecond to find, so what is needed together lies together. */
const chunkOf = (id: string): string | null => {
  if (starting.test(id)) return "start";
  // Settings and credentials need it before anything is asked.
  if (/\/core\/src\/(HttpRules|Retry|Suggestion)\.ts$/.test(id)) return "base";
  if (apart.test(id) || described.test(id) || /\/(yaml|jsonc-parser)\//.test(id)) return null;
  if (asking.test(id)) return "asking";
  return /\/cli\/src\/|\/(string-width|strip-ansi|ansi-regex|get-east-asian-width)\/|\/registry\/src\/command\/UserError\.ts$/.test(
    id,
  )
    ? "base"
    : null;
};

/** Licences of other people's code are to go wherever it goes. */
const licencesFile = "THIRD-PARTY-LICENSES.txt";

const written = new Set<string>([licencesFile, "man", pageFolder]);
const modules: Array<string> = [];
const inputs = [
  { main: "src/main.ts" },
  { keychain: "src/config/KeychainProcess.ts" },
  // `registry import` starts it as a thread, by this name, next to its own file.
  {
    PrepareInThread: fileURLToPath(
      new URL("manage/PrepareInThread.ts", import.meta.resolve("@bytenite-engines/registry")),
    ),
  },
];
for (const input of inputs) {
  const bundle = await rolldown({
    cwd: root,
    input,
    platform: "node",
    // jq-web brings a WebAssembly file, the keyring a native one: both are loaded from node_modules.
    external: ["jq-web", "@napi-rs/keyring"],
    resolve: { mainFields: ["module", "main"] },
    treeshake: { moduleSideEffects: false, propertyReadSideEffects: false },
    preserveEntrySignatures: "allow-extension",
    plugins: [leanBuiltins, lateWidth, ownPage],
  });
  const groups = [{ name: chunkOf, debugName: "by need" }];
  const { output } = await bundle.write({
    dir: dist,
    format: "esm",
    minify: true,
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: "main" in input ? { includeDependenciesRecursively: false, groups } : false,
  });
  await bundle.close();
  for (const file of output) {
    written.add(file.fileName);
    if (file.type !== "chunk") continue;
    modules.push(...file.moduleIds);
    // Each would run before the other.
    if (file.name === "base" && file.imports.some((name) => name.startsWith("asking")))
      throw new Error("base imports asking: name in chunkOf what settings need of core");
  }
}

if (pageFiles.size === 0) throw new Error("the registry's page takes no files from swagger-ui-dist any more");
mkdirSync(`${dist}/${pageFolder}`, { recursive: true });
for (const file of pageFiles) {
  const path = fileURLToPath(import.meta.resolve(`${pagePackage}/${file}`));
  modules.push(path);
  copyFileSync(path, `${dist}/${pageFolder}/${file}`);
}

writeFileSync(`${dist}/${licencesFile}`, licencesOf(modules, readFileSync(`${root}../../LICENSE`, "utf8")));

rmSync(`${dist}/man`, { recursive: true, force: true });
mkdirSync(`${dist}/man`);
for (const [name, text] of manPages()) writeFileSync(`${dist}/man/${name}`, text);

// Only now what was there before goes: somebody may be running it.
for (const name of readdirSync(dist)) if (!written.has(name)) rmSync(`${dist}/${name}`, { recursive: true });
