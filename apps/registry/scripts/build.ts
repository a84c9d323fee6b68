// Build step of wrangler: variables checked, docs page copied.
import { readFile } from "node:fs/promises";
import { parse } from "jsonc-parser";
import { settingsIn } from "../src/worker.ts";
import { copyAssets } from "./assets.ts";

const config = parse(await readFile(new URL("../wrangler.jsonc", import.meta.url), "utf8"), [], {
  allowTrailingComma: true,
}) as { readonly vars?: Readonly<Record<string, string>> };
try {
  settingsIn(config.vars ?? {});
} catch (error) {
  process.stderr.write(`wrangler.jsonc: ${(error as Error).message}\n`);
  process.exit(1);
}
await copyAssets();
