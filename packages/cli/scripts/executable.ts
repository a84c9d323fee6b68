// Single executable of bne (Node SEA), in `.data/executable`.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { rolldown, type OutputChunk, type Plugin } from "rolldown";
import { lateWidth, leanBuiltins, replaced } from "./LeanBuiltins.ts";
import { licencesOf } from "./Licences.ts";

/** It brings no types. */
const { inject } = createRequire(import.meta.url)("postject") as {
  readonly inject: (
    program: string,
    section: string,
    blob: Buffer,
    options: { readonly sentinelFuse: string; readonly machoSegmentName?: string },
  ) => Promise<void>;
};

const root = fileURLToPath(new URL("..", import.meta.url));
const out = fileURLToPath(new URL("../../../.data/executable", import.meta.url));
const program = join(out, process.platform === "win32" ? "bne.exe" : "bne");

/** Marks the place of the blob in the executable of Node (https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html). */
const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/** Files that are read while bne runs, by name. */
const assets: Record<string, string> = {};

const asset = (specifier: string): string => {
  const path = fileURLToPath(import.meta.resolve(specifier));
  assets[basename(path)] = path;
  return `process.getBuiltinModule("node:sea").getRawAsset(${JSON.stringify(basename(path))})`;
};

/** What reads files of its package reads assets of the executable. */
const fromAssets: Plugin = {
  name: "from-assets",
  transform: (code, id) => {
    // A copy of a module of Node, named after the file that imports it.
    if (id.startsWith("\0")) return null;
    // The keychain is asked by a native module in a process of its own, and an executable has neither.
    if (id.endsWith("/config/Keychain.ts"))
      return { code: "export const hasKeychain = false; export const askKeychain = async () => undefined;", map: null };
    if (id.endsWith("/output/JqFilter.ts"))
      return { code: replaced(code, 'load("jq-web")', 'require("jq-web")', id), map: null };
    if (id.endsWith("/jq-web/jq.js")) {
      const wasm = `{ wasmBinary: new Uint8Array(${asset("jq-web/jq.wasm")}) }`;
      return { code: replaced(code, "jq = jq().then", `jq = jq(${wasm}).then`, id), map: null };
    }
    if (!id.endsWith("/registry/src/node/DocsAssets.ts")) return null;
    const bytes = code.replaceAll(/import\.meta\.resolve\("(swagger-ui-dist\/[\w.-]+)"\)/g, (_, file: string) =>
      asset(file),
    );
    return { code: replaced(bytes, "readFile(fileURLToPath(url()))", "Buffer.from(url())", id), map: null };
  },
};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const bundled = async (name: string, path: string): Promise<OutputChunk> => {
  const bundle = await rolldown({
    cwd: root,
    input: { [name]: path },
    platform: "node",
    resolve: { mainFields: ["module", "main"] },
    treeshake: { moduleSideEffects: false, propertyReadSideEffects: false },
    plugins: [leanBuiltins, lateWidth, fromAssets],
    // Where the sources are is nowhere: what is found by it is an asset.
    transform: { define: { "import.meta.url": '"file:///bne"' } },
  });
  const { output } = await bundle.write({ dir: out, format: "cjs", minify: true, codeSplitting: false });
  await bundle.close();
  return output[0];
};

const start = await bundled("bne", "src/executable.ts");
const main = await bundled("main", "src/main.ts");
// A function of what a module is given, compiled now so that it need not be at every start.
const script = new Script(`(function (require, exports, __filename, __dirname) {${main.code}\n})`, { filename: "bne" });
writeFileSync(join(out, "main.js"), `(function (require, exports, __filename, __dirname) {${main.code}\n})`);
writeFileSync(join(out, "main.cache"), script.createCachedData());
for (const name of ["main.js", "main.cache"]) assets[name] = name;
const modules = [...start.moduleIds, ...main.moduleIds];
writeFileSync(
  join(out, "THIRD-PARTY-LICENSES.txt"),
  `${licencesOf([...modules, ...Object.values(assets).filter(isAbsolute)], readFileSync(`${root}../../LICENSE`, "utf8"))}
The executable contains Node.js ${process.version}: https://github.com/nodejs/node/blob/${process.version}/LICENSE\n`,
);

const config = { main: "bne.js", output: "bne.blob", disableExperimentalSEAWarning: true, assets };
writeFileSync(join(out, "sea.json"), JSON.stringify(config));
execFileSync(process.execPath, ["--experimental-sea-config", "sea.json"], {
  cwd: out,
  stdio: ["ignore", "ignore", "inherit"],
});
copyFileSync(process.execPath, program);
chmodSync(program, 0o755);
const isMac = process.platform === "darwin";
// A changed program has to be signed anew there.
if (isMac) execFileSync("codesign", ["--remove-signature", program]);
await inject(program, "NODE_SEA_BLOB", readFileSync(join(out, "bne.blob")), {
  sentinelFuse: fuse,
  ...(isMac ? { machoSegmentName: "NODE_SEA" } : {}),
});
if (isMac) execFileSync("codesign", ["--sign", "-", program]);
for (const name of ["bne.js", "main.js", "main.cache", "bne.blob", "sea.json"]) rmSync(join(out, name));

const megabytes = (path: string): string => `${(statSync(path).size / 1_000_000).toFixed(1)} MB`;
process.stdout.write(`${program}: ${megabytes(program)}, of which Node is ${megabytes(process.execPath)}\n`);
