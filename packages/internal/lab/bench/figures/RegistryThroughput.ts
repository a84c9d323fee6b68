// Figure: registry throughput, compared with bare node:http.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load, type Exchange } from "../edge/Load.ts";
import type { Figure, FigureRow } from "../Figure.ts";
import { engineLines, fill, letIn, nameOf, tokenOf } from "../registry/Filling.ts";
import { exchangeOf, served, type Served } from "../registry/Served.ts";
import { ratioOf, ratios, spreadOf } from "../Statistics.ts";

/** Connections at once. */
const connections = 64;

const token = tokenOf(0);

const targets = [
  { name: "engine by tag", path: `/v1/dev/engines/${nameOf(5)}`, engines: 1, promised: 0.4 },
  { name: "list of 20", path: "/v1/dev/engines?pagination.limit=20", engines: 20, promised: 0.3 },
] as const;

const forms = { JSON: "application/json", protobuf: "application/x-protobuf" } as const;

/** Requests a second, and processor time of the server for each, round by round. */
interface Rounds {
  readonly perSecond: Array<number>;
  readonly cpuUs: Array<number>;
}

const measure = async (server: Served, exchange: Exchange, calls: number, into: Rounds): Promise<void> => {
  const before = await server.usage();
  const { perSecond } = await load(server.port, () => exchange, calls, connections);
  const after = await server.usage();
  into.perSecond.push(perSecond);
  into.cpuUs.push((after.cpuUs - before.cpuUs) / calls);
};

export const registryThroughput: Figure = {
  name: "registry",
  title: "The registry compared with a bare node:http server that sends the same prepared bytes, 64 connections",
  promise: "engine by tag at least 0.40 of it, a list of 20 at least 0.30, in both forms.",
  charts: [
    {
      name: "registry",
      title: "The registry compared with a bare node:http server of the same prepared bytes",
      subtitle: "requests a second, as a share of the bare server's, 64 connections; longer is better",
      column: "of bare",
      barOf: (row) => row,
      isOurs: () => true,
    },
  ],
  measure: async (effort) => {
    const folder = await mkdtemp(join(tmpdir(), "bench-registry-"));
    const database = join(folder, "engines.sqlite");
    await fill(database, engineLines(100, 1));
    await letIn(database, 1);
    const registry = await served("serveRegistry.ts", database);
    const paths = targets.map(({ path }) => path);
    const bare = await served("serveBare.ts", `http://127.0.0.1:${registry.port}`, token, ...paths);
    const rounds = effort === "quick" ? 3 : 15;
    const calls = effort === "quick" ? 1_500 : 10_000;
    const rows: Array<FigureRow> = [];
    for (const { name, path, engines, promised } of targets) {
      for (const [form, mediaType] of Object.entries(forms)) {
        const exchange = await exchangeOf(registry, path, token, mediaType, engines);
        const ours: Rounds = { perSecond: [], cpuUs: [] };
        const peer: Rounds = { perSecond: [], cpuUs: [] };
        // Once without counting: compiled code.
        for (const server of [registry, bare]) await load(server.port, () => exchange, calls, connections);
        for (let round = 0; round < rounds; round++) {
          await measure(bare, exchange, calls, peer);
          await measure(registry, exchange, calls, ours);
        }
        const { median, lower, upper } = ratioOf(ours.perSecond, peer.perSecond);
        rows.push({
          name: `${name}, ${form}`,
          cells: {
            "req/s": spreadOf(ours.perSecond).median.toFixed(0),
            "bare req/s": spreadOf(peer.perSecond).median.toFixed(0),
            "of bare": median.toFixed(2),
            range: `${lower.toFixed(2)}-${upper.toFixed(2)}`,
            "cpu µs": spreadOf(ours.cpuUs).median.toFixed(1),
            "bare cpu µs": spreadOf(peer.cpuUs).median.toFixed(1),
          },
          promised: {
            rounds: ratios(peer.perSecond, ours.perSecond).map((one) => one * promised),
            reference: peer.perSecond,
          },
        });
      }
    }
    await bare.stop();
    await registry.stop();
    await rm(folder, { recursive: true });
    return {
      columns: ["req/s", "bare req/s", "of bare", "range", "cpu µs", "bare cpu µs"],
      rows,
      notes: [],
    };
  },
};
