// `pnpm capacity [--seed S]`: model check, then load beyond this machine.
import { parseArgs } from "node:util";
import { check } from "./Measured.ts";
import { billText, checkText, isNear, tiersText } from "./Report.ts";
import { base, outage, variations } from "./Scenario.ts";
import { simulate } from "./Simulation.ts";
import { deployedVariables, settingsIn } from "./WorkerSettings.ts";

const { values } = parseArgs({ options: { seed: { type: "string", default: "1" } } });
const seed = Number(values.seed);
if (!Number.isInteger(seed)) {
  process.stderr.write("--seed is a whole number\n");
  process.exit(2);
}
const checked = await check(seed);
process.stdout.write(`${checkText(checked)}\n\n`);
const settings = settingsIn(deployedVariables());
const simulations = [base, outage, ...variations].map((scenario) => simulate(scenario, settings, seed));
const { perSecond, tokens, dataCentres, isolates } = base;
process.stdout.write(
  `${perSecond.toLocaleString("en")} requests a second of ${tokens.toLocaleString("en")} tokens in ${dataCentres} data centres of ${isolates} isolates; one thing changed in each row:\n\n`,
);
process.stdout.write(`${tiersText(simulations)}\n\n${billText(simulations)}\n`);
process.exitCode = isNear(checked) ? 0 : 1;
