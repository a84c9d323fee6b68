// Measured run of two isolates, compared with the model.
import { setTimeout as wait } from "node:timers/promises";
import { pathOf, readNames, type ReadName } from "@bytenite-engines/core/wire";
import { startRegistry } from "@bytenite-engines/registry/testing";
import { Edge } from "../parts/Edge.ts";
import { cpuSecondsOf } from "../parts/Footprint.ts";
import { sumOf } from "../parts/Series.ts";
import { seeded } from "@bytenite-engines/test-kit/random";
import { cpu } from "./Bill.ts";
import { EdgeModel, type Demand } from "./EdgeModel.ts";
import { byEndpoint, deployedVariables, settingsIn } from "./WorkerSettings.ts";
import { weighted, zipfWeight } from "./Zipf.ts";

/** Requests, how many are under way at once, and who makes them. */
const requests = 2_000;
/** How long it takes at least, in milliseconds: four times the longest life of an answer below. */
const lastsMs = 8_000;
const atOnce = 4;
const tokens = 24;
const tags = 5;
const isolates = 2;

/** Proportions of the endpoints. */
const mix: Readonly<Record<ReadName, number>> = { list: 1, get: 2, status: 1 };

/** Lives so short that each of them ends several times in the seconds that it takes. */
const variables = {
  ...deployedVariables(),
  LIST_FRESH_SECONDS: "1",
  LIST_STALE_WHILE_REVALIDATE_SECONDS: "1",
  GET_FRESH_SECONDS: "2",
  GET_STALE_WHILE_REVALIDATE_SECONDS: "0",
  STATUS_FRESH_SECONDS: "1",
  STATUS_STALE_WHILE_REVALIDATE_SECONDS: "0",
};

/** The same thing as it happened, and as the model has it. */
export interface Compared {
  readonly measured: number;
  readonly modelled: number;
}

/** The compared values. */
export interface Check {
  readonly requests: number;
  readonly seconds: number;
  /** Answers that differ by user, endpoint or tag. */
  readonly answers: number;
  /** Requests answered from a cache, and those that the upstream got. */
  readonly fromCache: Compared;
  readonly upstream: Compared;
  /** Answers in the memories of the isolates at the end, and the bytes that they are counted with. */
  readonly entries: Compared;
  readonly bytes: Compared;
  /** Processor time that an exchange took beyond a hit, in microseconds. */
  readonly exchangeCpuUs: number;
}

interface Sent extends Demand {
  readonly path: string;
  readonly token: string;
}

/** Sends a seeded sequence of requests, and gives the same sequence to the model, at the times at which each was sent. */
export const check = async (seed: number): Promise<Check> => {
  const names = Array.from({ length: tags }, (_, index) => `engine${index}`);
  const users = Array.from({ length: tokens }, (_, index) => ({
    name: `user${index}`,
    engines: names.map((name) => ({ name, version: "0.1", description: "x".repeat(400) })),
  }));
  await using registry = await startRegistry({ users });
  await using edge = await Edge.start({
    upstreamUrl: registry.url,
    variables: { ...variables, UPSTREAM_URL: registry.url },
    isolates,
  });
  const sequence = sequenceOf(seed, names);
  const sent: Array<Sent> = [];
  const lengths = byEndpoint(() => 0);
  const latencies: Array<number> = [];
  let fromCache = 0;
  const cpuBefore = cpuSecondsOf(edge.pid ?? 0);
  const startedAtMs = Date.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let one = sequence[next++]; one !== undefined; one = sequence[next++]) {
        const dueMs = (sent.length * lastsMs) / requests - (Date.now() - startedAtMs);
        if (dueMs > 0) await wait(dueMs);
        sent.push({ ...one, atMs: Date.now() - startedAtMs });
        const response = await fetch(`${edge.origins[one.isolate]}/v1/dev${one.path}`, {
          headers: { authorization: one.token, accept: "application/json" },
        });
        lengths[one.endpoint] = (await response.arrayBuffer()).byteLength;
        if (response.status !== 200) throw new Error(`${one.path} was answered ${response.status}`);
        if (/; hit/.test(response.headers.get("cache-status") ?? "")) fromCache += 1;
        const took = /upstream;dur=([0-9.]+)/.exec(response.headers.get("server-timing") ?? "")?.[1];
        if (took !== undefined) latencies.push(Number(took));
      }
    }),
  );
  const seconds = (Date.now() - startedAtMs) / 1_000;
  const cpuUs = (cpuSecondsOf(edge.pid ?? 0) - cpuBefore) * 1e6;
  const series = await edge.metrics();
  const model = new EdgeModel({
    settings: settingsIn(variables),
    latencyMs: latencies.reduce((sum, one) => sum + one, 0) / latencies.length,
    bytes: lengths,
    workersCache: false,
    isUp: () => true,
  });
  const became = sent.map((demand) => model.request(demand));
  const inCache = became.filter((one) => one === "memory" || one === "data-centre" || one === "stale").length;
  const inMemory = became.filter((one) => one === "memory").length;
  const hitsUs = inMemory * cpu.memory + (requests - inMemory) * cpu.dataCentre;
  const { memories } = model;
  return {
    requests,
    seconds,
    answers: new Set(sent.map(({ key }) => key)).size,
    fromCache: { measured: fromCache, modelled: inCache },
    upstream: { measured: registry.requests.length, modelled: model.upstream },
    entries: {
      measured: sumOf(series, "bytenite_edge_memory_entries"),
      modelled: memories.reduce((sum, { entries }) => sum + entries, 0),
    },
    bytes: {
      measured: sumOf(series, "bytenite_edge_memory_bytes"),
      modelled: memories.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    exchangeCpuUs: (cpuUs - hitsUs) / Math.max(registry.requests.length, 1),
  };
};

const sequenceOf = (seed: number, names: ReadonlyArray<string>): ReadonlyArray<Omit<Sent, "atMs">> => {
  const random = seeded(seed);
  const pickToken = weighted(Array.from({ length: tokens }, (_, index) => zipfWeight(index + 1, 0.8)));
  const pickTag = weighted(names.map((_, index) => zipfWeight(index + 1, 1)));
  const pickEndpoint = weighted(readNames.map((endpoint) => mix[endpoint]));
  return Array.from({ length: requests }, () => {
    const token = pickToken(random);
    const endpoint = readNames[pickEndpoint(random)] ?? "get";
    const tag = endpoint === "list" ? 0 : pickTag(random) + 1;
    const key = (token * readNames.length + readNames.indexOf(endpoint)) * (tags + 1) + tag;
    const path = pathOf(endpoint, names[tag - 1]) ?? "";
    return {
      dataCentre: 0,
      isolate: random.below(isolates),
      endpoint,
      key,
      localKey: key,
      path,
      token: `local-user${token}`,
    };
  });
};
