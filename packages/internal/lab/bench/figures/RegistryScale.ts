// Figure: a full registry: responses, import speed, memory.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load, type Exchange } from "../edge/Load.ts";
import type { Figure, FigureRow } from "../Figure.ts";
import { engineLines, fill, letIn, manifestLines, nameOf, tokenOf, type Filled } from "../registry/Filling.ts";
import { exchangeOf, served } from "../registry/Served.ts";
import { quantile } from "../Statistics.ts";

const connections = 64;

const users = 1_000;

/** Different requests of a row: each with a user of its own, and known by its first answer. */
const requestsOfRow = 100;

/** Engines on a page of a list. */
const pageSize = 20;

const promisedPerSecond = 20_000;

const columns = ["per second", "p50 ms", "p99 ms", "MB"];

interface Question {
  readonly name: string;
  /** The path for a user. */
  readonly path: (user: number) => string;
  /** Engines in the answer. Default: a page. */
  readonly engines?: number;
}

const questions = (engines: number): ReadonlyArray<Question> => {
  const each = engines / users;
  return [
    { name: "list, first page", path: () => "/engines" },
    { name: "list, deep page (offset 90 %)", path: () => `/engines?pagination.offset=${each * 0.9}` },
    { name: "list, public only", path: () => "/engines?isPublic=true" },
    { name: "list, public only, deep page", path: () => `/engines?isPublic=true&pagination.offset=${engines * 0.09}` },
    { name: "list, by name, backwards", path: () => "/engines?orderBy=name%20desc" },
    {
      name: "engine by tag",
      path: (user) => `/engines/${nameOf(user + users * Math.floor(Math.random() * each))}`,
      engines: 1,
    },
  ];
};

const perSecond = ({ engines, seconds }: Filled): number => engines / seconds;

const filling = (name: string, filled: Filled): FigureRow => ({
  name,
  cells: {
    "per second": perSecond(filled).toFixed(0),
    MB: (filled.peakResidentBytes / 1e6).toFixed(0),
  },
});

export const registryScale: Figure = {
  name: "registry-scale",
  title: "A full registry in one file: 1,000 users, 64 connections (1,000,000 engines; with --quick 50,000)",
  promise: `import at least ${promisedPerSecond} manifests a second.`,
  measure: async (effort) => {
    const engines = effort === "quick" ? 50_000 : 1_000_000;
    const calls = effort === "quick" ? 600 : 5_000;
    const folder = await mkdtemp(join(tmpdir(), "bench-registry-"));
    const rows: Array<FigureRow> = [];
    const imports: Array<Filled> = [];
    while (imports.length < (effort === "quick" ? 2 : 5)) {
      const file = join(folder, `manifests-${imports.length}.sqlite`);
      imports.push(await fill(file, manifestLines(Math.min(engines, 100_000)), "carol"));
      await rm(file);
    }
    const [median] = imports.toSorted((a, b) => perSecond(a) - perSecond(b)).slice(Math.floor(imports.length / 2));
    if (median !== undefined) {
      rows.push({
        ...filling(`import of ${median.engines} manifests, the middle one of ${imports.length}`, median),
        promised: { rounds: imports.map((one) => promisedPerSecond / perSecond(one)) },
      });
    }
    const database = join(folder, "engines.sqlite");
    const exported = await fill(database, engineLines(engines, users));
    rows.push(filling(`import of ${exported.engines} exported engines`, exported));
    await letIn(database, users);
    const registry = await served("serveRegistry.ts", database);
    for (const [form, mediaType] of [
      ["JSON", "application/json"],
      ["protobuf", "application/x-protobuf"],
    ] as const) {
      for (const { name, path, engines: count = pageSize } of questions(engines)) {
        const exchanges: Array<Exchange> = [];
        while (exchanges.length < requestsOfRow) {
          const user = Math.floor(Math.random() * users);
          exchanges.push(await exchangeOf(registry, `/v1/dev${path(user)}`, tokenOf(user), mediaType, count));
        }
        let sent = 0;
        const next = (): Exchange => exchanges[sent++ % requestsOfRow] as Exchange;
        const { perSecond, latenciesMs } = await load(registry.port, next, calls, connections);
        const { residentBytes } = await registry.usage();
        rows.push({
          name: `${name}, ${form}`,
          cells: {
            "per second": perSecond.toFixed(0),
            "p50 ms": quantile(latenciesMs, 0.5).toFixed(1),
            "p99 ms": quantile(latenciesMs, 0.99).toFixed(1),
            MB: (residentBytes / 1e6).toFixed(0),
          },
        });
      }
    }
    await registry.stop();
    await rm(folder, { recursive: true });
    return {
      columns,
      rows,
      notes: [
        "Latencies are mostly queueing. MB is resident memory, up to 256 MB of it the mapped file.",
        "Imports are single runs.",
      ],
    };
  },
};
