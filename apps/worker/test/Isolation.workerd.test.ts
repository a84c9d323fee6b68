// Random requests of many users, compared with a model.
import type { ReadName } from "@bytenite-engines/core/wire";
import { expect, test } from "vitest";
import { adminSecret, edgeOrigin, startEdge, type Edge } from "./edge.ts";
import { World } from "./isolation.ts";

/** Runs and their length; each run has a seed of its own, which a failure names. */
const runs = 6;
const batchesPerRun = 50;

const paths = ["/engines", "/engines?isPublic=true", "/engines/zipper", "/engines/zipper/status", "/engines/a@0.1"];
const accepts = [
  "application/json",
  "application/x-protobuf",
  "*/*",
  "application/protobuf;q=0.5, application/json;q=0.1",
];
const controls = ["", "", "", "no-cache", "no-store", "max-age=5", "max-stale", "only-if-cached"];

const latin1 = new TextDecoder("latin1");

const readAll = async (world: World, edges: ReadonlyArray<Edge>): Promise<ReadonlyArray<string>> => {
  const number = Math.floor(world.random() * edges.length);
  const user = world.pick(world.users);
  const control = world.pick(controls);
  const headers = { accept: world.pick(accepts), ...(control === "" ? {} : { "cache-control": control }) };
  const before = world.productions.length;
  const response = await (edges[number] ?? world.pick(edges)).get(user.token, world.pick(paths), headers);
  const body = latin1.decode(await response.arrayBuffer());
  const startedMs = world.clock.ms;
  const problems = [...world.brokenBy(user, number, startedMs, before, control === "max-stale", response, body)];
  if (response.status === 401) {
    if (!user.revoked) problems.push("turned away without a reason");
    world.turnedAway.set(user.name, { atMs: startedMs, edge: number });
  }
  if (response.status === 404 && !user.hidden) problems.push("not found without a reason");
  return problems;
};

const disturb = async (world: World, edges: ReadonlyArray<Edge>): Promise<void> => {
  const user = world.pick(world.users);
  if (world.chance(0.2)) user.revoked = !user.revoked;
  if (world.chance(0.2)) user.hidden = !user.hidden;
  if (world.chance(0.15)) {
    const number = Math.floor(world.random() * edges.length);
    const endpoint = world.pick<ReadName | "all">(["all", "list", "get", "status"]);
    const scope = endpoint === "all" ? "all=true" : `endpoint=${endpoint}`;
    // A soft one still covers failures of the upstream.
    const request = new Request(`${edgeOrigin}/-/purge?${scope}&hard=true`, {
      method: "POST",
      headers: { authorization: adminSecret },
    });
    await (edges[number] ?? world.pick(edges)).send(request);
    world.purges.push({ atMs: world.clock.ms, edge: number, endpoint });
  }
  // Mostly a little, sometimes far, now and then back.
  const jump = world.random();
  world.clock.ms +=
    jump < 0.75 ? 1 + Math.floor(world.random() * 1_000) : jump < 0.92 ? 9_000 : jump < 0.97 ? 400_000 : -20_000;
};

test.each(Array.from({ length: runs }, (_, index) => index + 1))(
  "no answer shows what is not its own (seed %i)",
  async (seed) => {
    const store = await caches.open(`isolation-${seed}`);
    const world = new World(seed, store);
    // Two isolates of one data centre, one of them with hardly any memory.
    const edges = [
      startEdge(world.upstream, world.clock, store),
      startEdge(world.upstream, world.clock, store, { MEMORY_ENTRIES: "4" }),
    ];
    for (let batch = 0; batch < batchesPerRun; batch++) {
      const violations = await Promise.all(
        Array.from({ length: 1 + Math.floor(world.random() * 25) }, () => readAll(world, edges)),
      );
      expect(violations.flat()).toEqual([]);
      for (const edge of edges) await edge.settle();
      await disturb(world, edges);
    }
    expect(edges.map(({ isolate }) => isolate.store.undecryptable())).toEqual([0, 0]);
    const delivered = world.productions.reduce((sum, { delivered }) => sum + delivered, 0);
    expect(delivered, "the cache was of use at all").toBeGreaterThan(world.productions.length);
  },
);
