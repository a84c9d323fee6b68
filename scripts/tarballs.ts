// `pnpm tarballs [--no-build]`: packages for `npm install`, in `.data/packages`.
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { publishedPackages } from "./Packed.ts";
import { quietly } from "./Step.ts";
import { run } from "./run.ts";

const { values } = parseArgs({ options: { "no-build": { type: "boolean" } } });
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const folder = ".data/packages";
if (!values["no-build"]) await run("turbo", ["run", "build", "--output-logs=errors-only"]);
const packages = publishedPackages();
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const filters = packages.map(({ manifest }) => `--filter=${manifest.name}`);
await quietly("npx", [
  "-y",
  "pnpm@12",
  "--recursive",
  ...filters,
  "pack",
  "--pack-destination",
  join(process.cwd(), folder),
]);
for (const file of readdirSync(folder)) {
  const name = file.replace(/^bytenite-engines-(.*)-\d.*\.tgz$/, "$1.tgz");
  renameSync(join(folder, file), join(folder, name));
  process.stdout.write(`${folder}/${name}\n`);
}
