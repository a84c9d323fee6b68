// `pnpm rehearse-release`: what a release would do now, tried in a copy. Nothing is changed, nothing is sent.
import { rehearseRelease } from "./Rehearsal.ts";
import { run } from "./run.ts";

await run("turbo", ["run", "build", "--output-logs=errors-only"]);
for (const { name, from, to, files } of await rehearseRelease()) {
  process.stdout.write(`${name} ${from === to ? `stays ${from}` : `${from} -> ${to}`}, ${files} files\n`);
}
