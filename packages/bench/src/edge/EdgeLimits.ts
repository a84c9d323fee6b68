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
    // Until the breaker opens every key may ask once; after that one probe in ten seconds.
    const fewProbes = 20 + forMs / 10_000;
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

export const edgeMemory: Figure = {
  name: "edge-memory",
  title: "A million keys and ten thousand tokens through one isolate",
  promise: "under 100 MB.",
  measure: async (effort) => {
    const keys = effort === "quick" ? 60_000 : 1_000_000;
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend(false) },
      { name: "upstream", script: upstream(2_000) },
      {
        name: "edge",
        script: await readFile(builtWorker, "utf8"),
        cache: "cache",
        services: { UPSTREAM: "upstream" },
        variables: { UPSTREAM_URL: "http://upstream.invalid/v1/dev", LIST_FRESH_SECONDS: "600" },
      },
    ]);
    const idleMib = residentMibOf(standalone.pid);
    const connections = await Promise.all(
      Array.from({ length: 32 }, () => Connection.open(standalone.ports["edge"] ?? 0)),
    );
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
    return {
      columns: ["keys", "errors", "process when idle, MiB", "most, MiB", "more, MiB"],
      rows: [
        {
          name: "edge proxy, defaults, answers of 2 KB",
          cells: {
            keys: `${keys}`,
            errors: `${errors}`,
            "process when idle, MiB": idleMib.toFixed(0),
            "most, MiB": mostMib.toFixed(0),
            "more, MiB": (mostMib - idleMib).toFixed(0),
          },
          holds: errors === 0 && mostMib - idleMib < 95.3,
        },
      ],
      notes: [
        "Resident memory of workerd. What the process takes when idle is the runtime; two small workers beside the proxy are in both.",
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
