// Figures: what a hit of the edge proxy costs, beside the least that workerd can do and beside nginx.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Figure, FigureRow } from "../Figure.ts";
import { atRate, saturate, type Burst } from "./Load.ts";
import { startWorkerd, type WorkerInit } from "./Standalone.ts";
import { answerBytes, bareMatch, cacheBackend, hello, moduleMap } from "./Workers.ts";

const path = "/v1/dev/engines";
const authorization = "bench-token";

/** The Worker as it is deployed. */
export const builtWorker = fileURLToPath(new URL("../../../../apps/worker/dist/worker.js", import.meta.url));

/** An upstream whose answer has just the length that is measured, and that counts its requests. */
export const startUpstream = async (): Promise<{ server: Server; url: string; count: () => number }> => {
  const frame = '{"engines":[{"description":""}]}';
  const body = frame.replace('""', `"${"a".repeat(answerBytes - frame.length)}"`);
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { server, url: `http://127.0.0.1:${port}/v1/dev`, count: () => requests };
};

const edgeWorker = (name: string, script: string, upstream: string, variables: Record<string, string>): WorkerInit => ({
  name,
  script,
  cache: "cache",
  variables: { UPSTREAM_URL: upstream, LIST_FRESH_SECONDS: "604800", ...variables },
});

interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

const measure = async (
  contenders: ReadonlyArray<Contender>,
  rounds: number,
  forMs: number,
): Promise<ReadonlyMap<string, ReadonlyArray<Burst>>> => {
  const bursts = new Map<string, Array<Burst>>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, port, pid } of contenders) {
      const burst = await saturate({ port, path, authorization }, pid, forMs);
      // The first round compiles code and fills caches.
      if (round > 0) bursts.get(name)?.push(burst);
    }
  }
  return bursts;
};

/** The least processor time of all rounds: what others on the machine did to a round is not ours. */
const leastCpuUs = (bursts: ReadonlyArray<Burst> = []): number => Math.min(...bursts.map(({ cpuUs }) => cpuUs));

export const edgeHits: Figure = {
  name: "edge-hits",
  title: "A hit of 10 KB at the edge",
  promise:
    "at least 0.80 of the same bytes from a module's map; from the Cache API, decrypted, at least 0.65 of a bare streamed match.",
  measure: async (effort) => {
    const script = await readFile(builtWorker, "utf8");
    const { server, url } = await startUpstream();
    const nginx = await startNginx(url);
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend(true) },
      { name: "hello", script: hello },
      { name: "map", script: moduleMap },
      { name: "match", script: bareMatch, cache: "cache" },
      edgeWorker("edge", script, url, {}),
      edgeWorker("tier", script, url, { MEMORY_ENTRIES: "0" }),
    ]);
    const { ports, pid } = standalone;
    const names = ["hello", "map", "match", "edge", "tier"];
    const contenders = names.map((name): Contender => ({ name, port: ports[name] ?? 0, pid }));
    if (nginx !== undefined) contenders.push({ name: "nginx", port: nginx.port, pid: nginx.pid });
    const bursts = await measure(contenders, effort === "quick" ? 5 : 15, effort === "quick" ? 700 : 1_500);
    await nginx?.stop();
    server.close();
    server.closeAllConnections();
    const cpu = (name: string): number => leastCpuUs(bursts.get(name));
    const row = (name: string, title: string, peer?: string, least?: number): FigureRow => ({
      name: title,
      cells: {
        "cpu µs": cpu(name).toFixed(1),
        "requests/s, best": Math.max(...(bursts.get(name) ?? []).map(({ perSecond }) => perSecond)).toFixed(0),
        ratio: peer === undefined ? "" : (cpu(peer) / cpu(name)).toFixed(2),
      },
      ...(peer === undefined || least === undefined ? {} : { holds: cpu(peer) / cpu(name) >= least }),
    });
    return {
      columns: ["cpu µs", "requests/s, best", "ratio"],
      rows: [
        row("hello", "workerd, hello"),
        row("map", "workerd, bytes from a module's map"),
        row("edge", "edge proxy, hit in memory (ratio to the map)", "map", 0.8),
        row("match", "workerd, bare match of the Cache API"),
        row("tier", "edge proxy, hit in the Cache API, decrypted (ratio to the bare match)", "match", 0.65),
        ...(nginx === undefined ? [] : [row("nginx", "nginx proxy_cache, keyed by token")]),
      ],
      notes: [
        "Standalone workerd, capnp configuration. The ratio is of the server's processor time for one request, least of all rounds: the load generator shares the machine.",
        "The Cache API's backend is a worker in the same process: its time is in both rows that use it.",
        ...(nginx === undefined ? ["nginx is not installed: no row."] : []),
      ],
    };
  },
};

export const edgeLatency: Figure = {
  name: "edge-latency",
  title: "Latency of hits at 3,000 requests a second",
  promise: "p99 below twice that of hello.",
  measure: async (effort) => {
    const script = await readFile(builtWorker, "utf8");
    const { server, url } = await startUpstream();
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend(true) },
      { name: "hello", script: hello },
      edgeWorker("edge", script, url, {}),
    ]);
    const p99s: Record<string, Array<number>> = { hello: [], edge: [] };
    const rounds = effort === "quick" ? 3 : 9;
    for (let round = 0; round <= rounds; round++) {
      for (const [name, values] of Object.entries(p99s)) {
        const target = { port: standalone.ports[name] ?? 0, path, authorization };
        const latencies = await atRate(target, 3_000, effort === "quick" ? 1_500 : 4_000);
        if (round > 0) values.push(latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN);
      }
    }
    server.close();
    server.closeAllConnections();
    const least = (name: string): number => Math.min(...(p99s[name] ?? []));
    const ratio = least("edge") / least("hello");
    return {
      columns: ["p99 ms", "ratio"],
      rows: [
        { name: "workerd, hello", cells: { "p99 ms": least("hello").toFixed(2), ratio: "" } },
        {
          name: "edge proxy, hit of 10 KB",
          cells: { "p99 ms": least("edge").toFixed(2), ratio: ratio.toFixed(2) },
          holds: ratio < 2,
        },
      ],
      notes: ["Open loop, 64 connections, from when each request was due; the best round of each."],
    };
  },
};

/** nginx with proxy_cache in front of the upstream, one process; undefined where it is not installed. */
const startNginx = async (
  upstream: string,
): Promise<{ port: number; pid: number; stop: () => Promise<void> } | undefined> => {
  if (spawnSync("nginx", ["-v"]).error !== undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "bytenite-nginx-"));
  const port = 20_000 + (process.pid % 10_000);
  await writeFile(
    join(folder, "nginx.conf"),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  proxy_cache_path ${folder}/cache keys_zone=z:1m;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${new URL(upstream).origin}; proxy_cache z; proxy_cache_valid 200 1h;
      proxy_cache_key "$http_authorization$request_uri"; add_header x-cache $upstream_cache_status;
    }
  }
}`,
  );
  const child = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "ignore" });
  const exited = once(child, "exit");
  for (let tries = 0; tries < 100; tries++) {
    const isUp = await fetch(`http://127.0.0.1:${port}${path}`).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const stop = async (): Promise<void> => {
    child.kill();
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  return { port, pid: child.pid ?? 0, stop };
};
