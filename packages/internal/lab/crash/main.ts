// `pnpm crash [--rounds N]`: rounds of kill -9 and full disks during uploads.
import { parseArgs } from "node:util";
import { crashRounds } from "./UploadCrash.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "200" } } });
const report = await crashRounds(Number(values.rounds), (round) => {
  if (round % 10 === 0) process.stderr.write(`round ${round}\n`);
});
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
if (report.problems.length > 0) process.exitCode = 1;
