// Writes the man pages and the reference.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { manPages } from "./ManPage.ts";
import { reference } from "./Reference.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = manPages();
mkdirSync(`${root}man`, { recursive: true });
for (const name of readdirSync(`${root}man`)) if (!pages.has(name)) rmSync(`${root}man/${name}`);
for (const [name, text] of pages) writeFileSync(`${root}man/${name}`, text);
writeFileSync(`${root}REFERENCE.md`, reference());
