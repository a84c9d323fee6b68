// Bundles the Worker into one ES module that any workerd can serve: dist/worker.js.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Bundles an entry point of this app into one file. */
export const bundle = async (entry: string, file: string): Promise<void> => {
  const build = await rolldown({
    input: path(`../${entry}`),
    platform: "browser",
    external: [/^cloudflare:/],
    resolve: { conditionNames: ["workerd", "worker", "import", "default"] },
  });
  await build.write({ file: path(`../dist/${file}`), format: "esm", minify: true, codeSplitting: false });
  await build.close();
};

if (import.meta.main) {
  await rm(path("../dist"), { recursive: true, force: true });
  await bundle("src/worker.ts", "worker.js");
}
