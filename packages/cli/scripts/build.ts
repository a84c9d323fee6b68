// Bundles bne into dist/: one chunk per command, so that each run loads what it needs.
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}dist`;

const bundle = await rolldown({
  cwd: root,
  input: { main: "src/main.ts", keychain: "src/settings/KeychainProcess.ts" },
  platform: "node",
  // jq-web brings a WebAssembly file, the keyring a native one: both are loaded from node_modules.
  external: ["jq-web", "@napi-rs/keyring"],
  resolve: { mainFields: ["module", "main"] },
  treeshake: { moduleSideEffects: false },
});

const { output } = await bundle.write({
  dir: dist,
  format: "esm",
  minify: true,
  entryFileNames: "[name].js",
  chunkFileNames: "[name]-[hash].js",
});
await bundle.close();

// Only now what was there before goes: somebody may be running it.
const written = new Set(output.map(({ fileName }) => fileName));
for (const name of readdirSync(dist)) if (!written.has(name)) rmSync(`${dist}/${name}`, { recursive: true });
