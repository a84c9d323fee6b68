// `pnpm mutate [--only TARGET] [--write]`: changes the pure rules, one place at a time, and tells which changes no test notices.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mutantsOf, root, type Mutant } from "./Mutants.ts";
import { complaints, page, type Excuse } from "./Page.ts";
import { filesOf, targets } from "./Targets.ts";

const { values } = parseArgs({ options: { only: { type: "string" }, write: { type: "boolean", default: false } } });

const chosen = targets.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0 || (values.write && values.only !== undefined)) {
  process.stderr.write(`--only takes ${targets.map(({ name }) => name).join(", ")}; --write takes all of them\n`);
  process.exit(2);
}

const excuses = JSON.parse(readFileSync(new URL("survivors.json", import.meta.url), "utf8")) as ReadonlyArray<Excuse>;

const mutants: Array<Mutant> = [];
for (const target of chosen) mutants.push(...(await mutantsOf(target)));

const files = chosen.flatMap(filesOf);
const own = excuses.filter(({ file }) => files.includes(file));
if (values.write) writeFileSync(join(root, "docs/mutation.md"), page(mutants, own));
else process.stdout.write(`\n${page(mutants, own)}\n`);
const wrong = complaints(files, mutants, own);
for (const complaint of wrong) process.stderr.write(`${complaint}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
