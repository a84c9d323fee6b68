// `node serveRounds.ts NAME ORIGIN`: rounds of one client, by JSON lines.
import { createInterface } from "node:readline";
import { measureRound, type Extent } from "../Rounds.ts";
import { everybody } from "./Clients.ts";

const [, , name = "", origin = ""] = process.argv;
const contender = everybody(origin, globalThis.fetch).find((each) => each.name === name);
if (contender === undefined) throw new Error(`no such client: ${name}`);

for await (const line of createInterface({ input: process.stdin })) {
  const sample = await measureRound(contender, JSON.parse(line) as Extent);
  process.stdout.write(`${JSON.stringify(sample)}\n`);
}
// Connections that are kept open would keep the process.
process.exit();
