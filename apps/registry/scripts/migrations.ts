// Generator of `migrations/` for `wrangler d1 migrations apply`.
import { mkdir, writeFile } from "node:fs/promises";
import { migrationFiles } from "@bytenite-engines/registry/api";

const folder = new URL("../migrations/", import.meta.url);

await mkdir(folder, { recursive: true });
for (const [name, sql] of migrationFiles()) await writeFile(new URL(name, folder), sql);
