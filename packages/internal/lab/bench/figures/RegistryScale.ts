// Figure: a full registry: responses, import speed, memory.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "@bytenite-engines/registry";
import { load, type Exchange } from "../edge/Load.ts";
import type { Figure, FigureRow } from "../Figure.ts";
import { engineLines, fill, letIn, manifestLines, nameOf, tokenOf, type Filled } from "../registry/Filling.ts";
import { exchangeOf, served, type Served } from "../registry/Served.ts";
import { quantile, ratios, spreadOf } from "../Statistics.ts";

const connections = 64;

const users = 1_000;

/** Different requests of a row: each with a user of its own, and known by its first answer. */
const requestsOfRow = 100;

/** Engines on a page of a list. */
const pageSize = 20;

const promisedPerSecond = 20_000;

/** Most time of the last pages of the public list, as a multiple of the first one's. */
const promisedDeep = 1.3;

/** Changes of the database for each row, each followed by one request. */
const changes = 50;

const columns = ["per second", "p50 ms", "p99 ms", "cold ms", "MB"];

interface Question {
  readonly name: string;
  /** The path for a user. */
  readonly path: (user: number) => string;
  /** Engines in the answer. Default: a page. */
  readonly engines?: number;
}

const publicPages = { first: "list, public only", deep: "list, public only, deep page" };

const questions = (engines: number): ReadonlyArray<Question> => {
  const each = engines / users;
  return [
    { name: "list, first page", path: () => "/engines" },
    { name: "list, deep page (offset 90 %)", path: () => `/engines?pagination.offset=${each * 0.9}` },
    { name: publicPages.first, path: () => "/engines?isPublic=true" },
    { name: publicPages.deep, path: () => `/engines?isPublic=true&pagination.offset=${engines * 0.09}` },
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

/** What a question costs, round by round. */
interface Rounds {
  readonly perSecond: Array<number>;
  readonly p50: Array<number>;
  readonly p99: Array<number>;
}

const middle = (values: ReadonlyArray<number>): number => spreadOf(values).median;

/** Requests for the answer to a question, by different users. */
const exchangesOf = async (registry: Served, { path, engines = pageSize }: Question, mediaType: string) => {
  const exchanges: Array<Exchange> = [];
  while (exchanges.length < requestsOfRow) {
    const user = Math.floor(Math.random() * users);
    exchanges.push(await exchangeOf(registry, `/v1/dev${path(user)}`, tokenOf(user), mediaType, engines));
  }
  return exchanges;
};

/** Milliseconds of the first request after each of some changes by another process, which empty all caches of the registry. */
const afterChanges = async (database: string, registry: Served, exchanges: ReadonlyArray<Exchange>) => {
  const file = openSqlite(database);
  const latencies: Array<number> = [];
  for (let change = 0; change < changes; change++) {
    file.transaction((run) => run("UPDATE users SET max_engines = ?", 1_000_000 + change));
    const { latenciesMs } = await load(registry.port, () => exchanges[change] as Exchange, 1, 1);
    latencies.push(...latenciesMs);
  }
  file.close();
  return latencies;
};

export const registryScale: Figure = {
  name: "registry-scale",
  title: "A full registry in one file: 1,000 users, 64 connections (1,000,000 engines; with --quick 50,000)",
  promise: `import at least ${promisedPerSecond} manifests a second; p50 of a deep public page at most ${promisedDeep} of the first page's.`,
  measure: async (effort) => {
    const engines = effort === "quick" ? 50_000 : 1_000_000;
    const calls = effort === "quick" ? 600 : 2_000;
    const rounds = effort === "quick" ? 3 : 11;
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
      const asked = new Map<string, { readonly exchanges: ReadonlyArray<Exchange>; readonly measured: Rounds }>();
      for (const question of questions(engines)) {
        const exchanges = await exchangesOf(registry, question, mediaType);
        asked.set(question.name, { exchanges, measured: { perSecond: [], p50: [], p99: [] } });
      }
      // The first round is not counted: code is compiled and caches are filled.
      for (let round = -1; round < rounds; round++) {
        for (const { exchanges, measured } of asked.values()) {
          let sent = 0;
          const next = (): Exchange => exchanges[sent++ % requestsOfRow] as Exchange;
          const { perSecond, latenciesMs } = await load(registry.port, next, calls, connections);
          if (round < 0) continue;
          measured.perSecond.push(perSecond);
          measured.p50.push(quantile(latenciesMs, 0.5));
          measured.p99.push(quantile(latenciesMs, 0.99));
        }
      }
      const first = asked.get(publicPages.first)?.measured.p50 ?? [];
      for (const [name, { exchanges, measured }] of asked) {
        const { perSecond, p50, p99 } = measured;
        rows.push({
          name: `${name}, ${form}`,
          cells: {
            "per second": middle(perSecond).toFixed(0),
            "p50 ms": middle(p50).toFixed(1),
            "p99 ms": middle(p99).toFixed(1),
            "cold ms": middle(await afterChanges(database, registry, exchanges)).toFixed(1),
          },
          ...(name === publicPages.deep && {
            promised: { rounds: ratios(p50, first).map((one) => one / promisedDeep), reference: first },
          }),
        });
      }
    }
    const { residentBytes } = await registry.usage();
    await registry.stop();
    await rm(folder, { recursive: true });
    return {
      columns,
      rows,
      notes: [
        `Medians of rounds in turn, caches filled, mostly queueing. Cold: one request after each of ${changes} changes by another process.`,
        `The registry took ${(residentBytes / 1e6).toFixed(0)} MB.`,
      ],
    };
  },
};
