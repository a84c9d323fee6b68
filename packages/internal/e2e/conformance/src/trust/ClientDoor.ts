// Decides: how a numbering is tried with the client.
import { createEngineClient } from "@bytenite-engines/core/promise";
import { calibration } from "@bytenite-engines/core/trust";
import { startForeignRegistry, type ForeignServers, type Way } from "../ForeignServers.ts";
import { chanceOf } from "../Numberings.ts";
import { round, trueCalls } from "../Round.ts";
import type { Part } from "./Tally.ts";

/** One of so many numberings has only engines in which much is empty or equal. */
const bareEvery = 3;

/** Makes every call in three rounds, in a random order each. */
export const tryClient = async (servers: ForeignServers, way: Way, seed: number): Promise<Part> => {
  const isFull = seed % bareEvery !== 0;
  const chance = chanceOf(seed * 1000);
  await using registry = await startForeignRegistry(seed, isFull);
  const token = `t-${seed}`;
  const calls = await trueCalls(registry.url, token);
  const baseUrl = servers.urlBy(way, token, registry);
  const client = createEngineClient({ baseUrl, token, trust: { calibration: calibration() } });
  const first = await round(client, calls, chance);
  const second = await round(client, calls, chance);
  const last = await round(client, calls, chance);
  const isComplete = last.regained === calls.length;
  return {
    calls: calls.length,
    compared: 3 * calls.length,
    wrong: [...first.wrong, ...second.wrong, ...last.wrong].map((what) => `numbering ${seed}: ${what}`),
    requests: { first: first.requests, last: last.requests },
    regained: last.regained,
    incomplete: isFull && !isComplete ? [seed] : [],
  };
};
