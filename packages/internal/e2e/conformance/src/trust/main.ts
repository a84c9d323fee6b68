// `pnpm trust [--numberings N] [--seed S] [--write]`: random numberings through all clients.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startForeignServers, ways } from "../ForeignServers.ts";
import { tryClient } from "./ClientCaller.ts";
import { builtBne, tryCommands } from "./CommandCaller.ts";
import { pageOf, tableOf, tallyOf, type Caller, type Part, type Tally } from "./Tally.ts";

const { values } = parseArgs({
  options: {
    numberings: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    write: { type: "boolean", default: false },
  },
});
const numberings = Number(values.numberings);
const seed = Number(values.seed);
if (!Number.isSafeInteger(numberings) || numberings < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write("--numberings is a whole number from 1, --seed a whole number\n");
  process.exit(2);
}

const tallies: Array<Tally> = [];
for (const caller of ["client", "bne"] as const satisfies ReadonlyArray<Caller>) {
  for (const way of ways) {
    // A worker of its own: it would have answers of the registries before it, whose tokens are the same.
    const servers = await startForeignServers();
    const parts: Array<Part> = [];
    while (parts.length < numberings) {
      const at = seed + parts.length;
      const part =
        caller === "client" ? await tryClient(servers, way, at) : await tryCommands(builtBne, servers, way, at);
      for (const what of part.wrong) process.stderr.write(`wrong: ${what}\n`);
      parts.push(part);
      if (parts.length % 20 === 0) process.stderr.write(`${caller}, ${way}: ${parts.length} of ${numberings}\n`);
    }
    await servers.stop();
    tallies.push(tallyOf(caller, way, parts));
  }
}

process.stdout.write(`${tableOf(tallies)}\n`);
if (values.write) {
  const command = `pnpm trust --numberings ${numberings} --seed ${seed} --write`;
  const page = pageOf(tallies, command, new Date().toISOString().slice(0, 10));
  writeFileSync(fileURLToPath(new URL("../../../../../../docs/trust.md", import.meta.url)), page);
}
process.exitCode = tallies.every(({ wrong, incomplete }) => wrong.length + incomplete.length === 0) ? 0 : 1;
