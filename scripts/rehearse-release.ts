// `pnpm rehearse-release`: the next release, tried in a copy.
import { rehearseRelease } from "./Rehearsal.ts";
import { run } from "./run.ts";

await run("turbo", ["run", "build", "--output-logs=errors-only"]);
for (const { name, from, to, files } of await rehearseRelease()) {
  process.stdout.write(`${name} ${from === to ? `stays ${from}` : `${from} -> ${to}`}, ${files} files\n`);
}
