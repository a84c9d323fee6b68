// Generator of the list of man pages in package.json.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { manPages } from "./ManPage.ts";

const manifest = fileURLToPath(new URL("../package.json", import.meta.url));
const pages = [...manPages().keys()].map((name) => `./dist/man/${name}`);
writeFileSync(
  manifest,
  readFileSync(manifest, "utf8").replace(
    /"man": \[[^\]]*\]/,
    `"man": ${JSON.stringify(pages, null, 2).replaceAll("\n", "\n  ")}`,
  ),
);
