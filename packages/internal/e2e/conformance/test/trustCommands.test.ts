// Foreign field numbers in `bne` processes that share a cache file.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startForeignServers, ways, type ForeignServers } from "../src/ForeignServers.ts";
import { sourcesOfBne, tryCommands } from "../src/trust/CommandCaller.ts";

vi.setConfig({ testTimeout: 90_000 });

let servers: ForeignServers;

beforeAll(async () => {
  servers = await startForeignServers();
});
afterAll(() => servers?.stop());

// One numbering for each way; `pnpm trust` tries more.
test.for(ways)("no command prints a wrong value for any numbering (%s)", async (way) => {
  const { wrong, calls, requests, regained } = await tryCommands(sourcesOfBne, servers, way, 1);
  expect(wrong).toEqual([]);
  // One request more for the origin.
  expect(requests.plain).toBeLessThanOrEqual(calls + 1);
  // One request per command but for a sample, which comes by chance.
  expect(requests.last).toBeLessThanOrEqual(calls + 1);
  expect(regained).toBeGreaterThanOrEqual(calls - 1);
});
