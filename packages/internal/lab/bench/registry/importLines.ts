// `importLines.ts DATABASE FILE [USER]`: an import as a process, with its cost.
import { createReadStream } from "node:fs";
import { importStream, migrate, openSqlite } from "@bytenite-engines/registry";
import type { Filled } from "./Filling.ts";

const [database = "", input = "", user] = process.argv.slice(2);
const file = openSqlite(database);
await migrate(file.port, Date.now());
const start = performance.now();
const { engines, problems } = await importStream(createReadStream(input), { file, box: undefined, user });
const seconds = (performance.now() - start) / 1_000;
file.close();
if (problems.length > 0) throw new Error(problems.join("\n"));
const filled: Filled = {
  engines,
  seconds,
  peakResidentBytes: process.resourceUsage().maxRSS * 1_024,
};
process.stdout.write(JSON.stringify(filled));
