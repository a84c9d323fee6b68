// Figures: what the edge proxy does when a thousand ask at once, when the upstream is gone, and when keys never end.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import type { Figure } from "../Figure.ts";
import { builtWorker, startUpstream } from "./EdgeHits.ts";
import { Connection, residentMibOf } from "./Load.ts";
import { startWorkerd } from "./Standalone.ts";
import { cacheBackend, upstream } from "./Workers.ts";

const listOf = (authorization: string, query = ""): string =>
  `GET /v1/dev/engines${query} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: ${authorization}\r\n\r\n`;

export const edgeStampede: Figure = {
  name: "edge-stampede",
  title: "A thousand requests for one key at once",
  promise: "one request to the upstream.",
  measure: async () => {
    const { server, url, count } = await startUpstream();
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend(true) },
      {
        name: "edge",
        script: await readFile(builtWorker, "utf8"),
        cache: "cache",
        variables: { UPSTREAM_URL: url },
      },
    ]);
    const port = standalone.ports["edge"] ?? 0;
    const connections = await Promise.all(Array.from({ length: 1_000 }, () => Connection.open(port)));
    const statuses = await Promise.all(connections.map((connection) => connection.send(listOf("bench-token"))));
    for (const connection of connections) connection.close();
    server.close();
    server.closeAllConnections();
    const good = statuses.filter((status) => status === 200).length;
    return {
      columns: ["answered 200", "upstream requests"],
      rows: [
        {
          name: "edge proxy",
          cells: { "answered 200": `${good}`, "upstream requests": `${count()}` },
          holds: good === 1_000 && count() === 1,
        },
      ],
      notes: [],
    };
  },
};

/** Requests a second while the upstream is down. */
const outageRate = 200;

export const edgeOutage: Figure = {
  name: "edge-outage",
  title: "The upstream down for a minute, under load",
  promise: "every answer within the stale window served, no error, at most a few probes sent.",
  measure: async (effort) => {
    const forMs = effort === "quick" ? 10_000 : 60_000;
    let isDown = false;
    let probes = 0;
    const server = createServer((_request, response) => {
      if (isDown) {
        probes += 1;
        response.destroy();
        return;
      }
      response.setHeader("content-type", "application/json");
      response.end('{"engines":[],"pagination":{"total":0}}');
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const upstreamPort = typeof address === "object" && address !== null ? address.port : 0;
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend(true) },
      {
        name: "edge",
        script: await readFile(builtWorker, "utf8"),
        cache: "cache",
        variables: {
          UPSTREAM_URL: `http://127.0.0.1:${upstreamPort}/v1/dev`,
          LIST_FRESH_SECONDS: "1",
          LIST_STALE_WHILE_REVALIDATE_SECONDS: "1",
          LOG: "off",
        },
      },
    ]);
    const connection = await Connection.open(standalone.ports["edge"] ?? 0);
    const keys = Array.from({ length: 20 }, (_, index) =>
      listOf(`token-${index % 5}`, `?pagination.limit=${index + 1}`),
    );
    for (const key of keys) await connection.send(key);
    isDown = true;
    const statuses = new Map<number, number>();
    const until = performance.now() + forMs;
    for (let count = 0; performance.now() < until; count++) {
      const status = await connection.send(keys[count % keys.length] ?? "");
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 1_000 / outageRate));
    }
    connection.close();
    server.close();
    server.closeAllConnections();
    const errors = [...statuses].reduce((sum, [status, count]) => sum + (status === 200 ? 0 : count), 0);
    // Some until the breaker opens, then one in ten seconds.
    const fewProbes = 10 + forMs / 10_000;
    return {
      columns: ["seconds", "answered 200", "errors", "requests that reached the upstream"],
      rows: [
        {
          name: "edge proxy, 20 keys of 5 tokens",
          cells: {
            seconds: `${forMs / 1_000}`,
            "answered 200": `${statuses.get(200) ?? 0}`,
            errors: `${errors}`,
            "requests that reached the upstream": `${probes}`,
          },
          holds: errors === 0 && probes <= fewProbes,
        },
      ],
      notes: ["Fresh for 1 s, validated behind the answer for 1 s more, then served stale because nothing answers."],
    };
  },
};

/** Heap that V8 may use in the run, in MiB. What does not fit ends the run; production ends an isolate at 128 in all. */
const heapMib = 64;
/** Most that heap and kept answers may take together, in MiB: 100 MB. */
const maxMib = 100e6 / 2 ** 20;

/** Asks the upstream like the proxy does, and keeps nothing: what the runtime itself makes of such a load. */
const keepsNothing = `export default {
  async fetch(request, env) {
    const answer = await env.UPSTREAM.fetch(request.url, { headers: request.headers });
    return new Response(await answer.arrayBuffer());
  },
};`;

const adminSecret = "a-secret-of-the-bench";

/** Sends each key once, of so many tokens; what the process grew by, and how many answers were not 200. */
const flood = async (script: string, keys: number): Promise<{ mib: number; errors: number; keptMib: number }> => {
  await using standalone = await startWorkerd(
    [
      { name: "cache", script: cacheBackend(false) },
      { name: "upstream", script: upstream(2_000) },
      {
        name: "edge",
        script,
        cache: "cache",
        services: { UPSTREAM: "upstream" },
        variables: {
          UPSTREAM_URL: "http://upstream.invalid/v1/dev",
          LIST_FRESH_SECONDS: "600",
          ADMIN_SECRET: adminSecret,
        },
      },
    ],
    [`--max-heap-size=${heapMib}`],
  );
  const port = standalone.ports["edge"] ?? 0;
  const idleMib = residentMibOf(standalone.pid);
  const connections = await Promise.all(Array.from({ length: 32 }, () => Connection.open(port)));
  let next = 0;
  let mostMib = idleMib;
  let errors = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (next < keys) {
        const key = next++;
        const status = await connection.send(listOf(`token-${key % 10_000}`, `?pagination.offset=${key}`));
        if (status !== 200) errors += 1;
        if (key % 5_000 === 0) mostMib = Math.max(mostMib, residentMibOf(standalone.pid));
      }
    }),
  );
  for (const connection of connections) connection.close();
  const metrics = await fetch(`http://127.0.0.1:${port}/-/metrics`, { headers: { authorization: adminSecret } });
  const kept = /^bytenite_edge_memory_bytes (\d+)$/m.exec(await metrics.text())?.[1];
  return { mib: mostMib - idleMib, errors, keptMib: Number(kept ?? 0) / 2 ** 20 };
};

export const edgeMemory: Figure = {
  name: "edge-memory",
  title: "A million keys and ten thousand tokens through one isolate",
  promise: "under 100 MB.",
  measure: async (effort) => {
    const keys = effort === "quick" ? 30_000 : 1_000_000;
    const edge = await flood(await readFile(builtWorker, "utf8"), keys);
    const nothing = await flood(keepsNothing, keys);
    return {
      columns: ["keys", "errors", "heap at most, MiB", "answers kept, MiB", "process grew by, MiB"],
      rows: [
        {
          name: "edge proxy, defaults, answers of 2 KB",
          cells: {
            keys: `${keys}`,
            errors: `${edge.errors}`,
            "heap at most, MiB": `${heapMib}`,
            "answers kept, MiB": edge.keptMib.toFixed(1),
            "process grew by, MiB": edge.mib.toFixed(0),
          },
          holds: edge.errors === 0 && heapMib + edge.keptMib < maxMib,
        },
        {
          name: "a worker that keeps nothing",
          cells: { keys: `${keys}`, errors: `${nothing.errors}`, "process grew by, MiB": nothing.mib.toFixed(0) },
        },
      ],
      notes: [
        `V8 ran with --max-heap-size=${heapMib}: an isolate that needed more would have ended the run. The bytes of answers lie outside of that heap and are counted by the proxy.`,
        "workerd alone gives memory back late: a worker that keeps nothing grows too, and is shown beside.",
      ],
    };
  },
};

/** Largest bundle, gzip, in bytes: 110 KiB. */
const maxGzipBytes = 110 * 1024;

export const edgeSize: Figure = {
  name: "edge-size",
  title: "The deployed worker",
  promise: "one ES module of at most 110 KiB gzip.",
  measure: async () => {
    const bytes = await readFile(builtWorker);
    const gzip = gzipSync(bytes, { level: 9 }).length;
    return {
      columns: ["KiB", "KiB gzip"],
      rows: [
        {
          name: "apps/worker/dist/worker.js",
          cells: { KiB: (bytes.length / 1024).toFixed(1), "KiB gzip": (gzip / 1024).toFixed(1) },
          holds: gzip <= maxGzipBytes,
        },
      ],
      notes: [],
    };
  },
};
