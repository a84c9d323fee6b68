// `pnpm mutate [--only TARGET] [--write]`, `--random N [--seed S] [--skip N] [--take N]`: mutation testing.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mutantsOf, oneLine, root, type Mutant } from "./Mutants.ts";
import { complaints, page, type Excuse } from "./Page.ts";
import { choose, tryAll } from "./RandomMutants.ts";
import { filesOf, targets } from "./Targets.ts";

/** Share of random changes that must be noticed. */
const leastRandomShare = 0.97;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    write: { type: "boolean", default: false },
    random: { type: "string" },
    seed: { type: "string", default: "1" },
    skip: { type: "string", default: "0" },
    take: { type: "string" },
  },
});

const excuses = JSON.parse(readFileSync(new URL("survivors.json", import.meta.url), "utf8")) as ReadonlyArray<Excuse>;

if (values.random !== undefined) {
  const count = Number(values.random);
  const [seed, skip, take] = [Number(values.seed), Number(values.skip), Number(values.take ?? count)];
  if (![count, seed, skip, take].every(Number.isInteger) || count < 1 || skip < 0 || take < 1) {
    process.stderr.write(
      "--random, --seed, --skip and --take are whole numbers: how many changes, which, and a part of them\n",
    );
    process.exit(2);
  }
  const tried = tryAll(
    choose(count, seed).slice(skip, skip + take),
    ({ outcome, by, file, line, original, replacement }) => {
      const change = `${file}:${line}: ${oneLine(original)} -> ${oneLine(replacement)}`;
      const text = readFileSync(join(root, file), "utf8").split("\n")[line - 1] ?? "";
      const isMade = (excuse: Excuse): boolean =>
        text.includes(excuse.original) && excuse.original.replace(original, () => replacement) === excuse.replacement;
      const reason = excuses.find((excuse) => excuse.file === file && isMade(excuse))?.reason;
      process.stdout.write(`${outcome.padEnd(8)} ${change} (${by ?? reason ?? "no test, and no reason"})\n`);
    },
    (file) => process.stdout.write(`${file} fails without a change, and is left out\n`),
  );
  const caught = tried.filter(({ outcome }) => outcome === "caught").length;
  process.stdout.write(`\n${caught} of ${tried.length} random changes were noticed (seed ${seed})\n`);
  process.exit(caught / tried.length >= leastRandomShare ? 0 : 1);
}

const chosen = targets.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0 || (values.write && values.only !== undefined)) {
  process.stderr.write(`--only takes ${targets.map(({ name }) => name).join(", ")}; --write takes all of them\n`);
  process.exit(2);
}

const mutants: Array<Mutant> = [];
for (const target of chosen) mutants.push(...(await mutantsOf(target)));

const files = chosen.flatMap(filesOf);
const own = excuses.filter(({ file }) => files.includes(file));
if (values.write) writeFileSync(join(root, "docs/mutation.md"), page(mutants));
else process.stdout.write(`\n${page(mutants)}\n`);
const wrong = complaints(files, mutants, own);
for (const complaint of wrong) process.stderr.write(`${complaint}\n`);
process.exitCode = wrong.length === 0 ? 0 : 1;
