// `node scripts/registry.ts --port P [--seed FILE.sql]`: this Worker on workerd and D1.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { schemaSql } from "@bytenite-engines/registry";
import { bundled, serveUntilSignal } from "@bytenite-engines/test-kit";

const { values } = parseArgs({
  options: { port: { type: "string", default: "4011" }, seed: { type: "string" } },
});
const seed = values.seed === undefined ? "" : await readFile(values.seed, "utf8");
const tables = seed.includes("CREATE TABLE users") ? [] : schemaSql();
const statements = [...tables, ...seed.split("\n")];

await serveUntilSignal({
  name: "registry",
  code: await bundled(fileURLToPath(new URL("../src/worker.ts", import.meta.url))),
  port: Number(values.port),
  variables: { BYTENITE_REGISTRY_KEY: process.env["BYTENITE_REGISTRY_KEY"] ?? "" },
  database: {
    binding: "DB",
    fill: async (run) => {
      for (const statement of statements) if (statement !== "") await run(statement);
    },
  },
});
