// `node scripts/model.ts [STEPS] [SEED]`: random steps, compared with a model.
import { seeded } from "@bytenite-engines/test-kit/random";
import { runModel } from "../test/model.ts";

/** Steps of one run: then it begins anew, with the next seed. */
const stepsPerRun = 50_000;

const [steps = 1_000_000, first = 1] = process.argv.slice(2).map(Number);
let done = 0;
let answers = 0;
let hits = 0;
for (let seed = first; done < steps; seed++) {
  const run = await runModel(seeded(seed).next, Math.min(stepsPerRun, steps - done));
  done += run.steps;
  answers += run.answers;
  hits += run.hits;
  process.stdout.write(`seed ${seed}: ${done} steps, ${answers} answers, ${hits} from what was stored\n`);
  if (run.problems.length === 0) continue;
  process.stdout.write(`${run.problems.join("\n")}\n`);
  process.exit(1);
}
