// The fault table through the promise entry, on the real clock.
import { inspect } from "node:util";
import { equals } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { createEngineClient, EngineError, type ClientOptions, type EngineEvent } from "@bytenite-engines/core/promise";
import { endpoints } from "@bytenite-engines/core/wire";
import { theEngine } from "../src/fault/Acts.ts";
import { theToken, waitsMs, type FaultRow } from "../src/fault/FaultRow.ts";
import { faultRows } from "../src/fault/FaultTable.ts";
import { serveRow } from "../src/fault/FaultRun.ts";
import { held, leftover } from "../src/fault/Held.ts";

/** The longest wait of a row without a hint: three throttled retries. */
const longestOwnWaitMs = waitsMs(3, "throttled");
const rows = faultRows.filter(
  (row) => row.hangs !== undefined || row.hinted !== true || row.expected.waitedMs === 0 || row.expected.attempts === 1,
);

test("the table has rows for this entry", () => {
  expect(rows.length).toBeGreaterThan(70);
  expect(rows.every(({ hangs, expected }) => hangs !== undefined || expected.waitedMs <= longestOwnWaitMs)).toBe(true);
});

const optionsFor = (row: FaultRow, baseUrl: string, events: Array<EngineEvent>): ClientOptions => ({
  token: theToken,
  ...row.options,
  baseUrl,
  retry: {
    baseDelayMs: 1,
    throttledBaseDelayMs: 1,
    ...row.options?.retry,
    // One attempt, ended by its timeout, shows as much as three.
    ...(row.hangs === undefined ? {} : { maxAttempts: 1 }),
  },
  ...(row.hangs === undefined ? {} : { attemptTimeoutMs: 100 }),
  onEvent: (event) => void events.push(event),
});

test.for(rows.map((row) => [row.name, row] as const))("%s", { timeout: 60_000 }, async ([, row]) => {
  const before = held();
  {
    await using world = await serveRow(row);
    const events: Array<EngineEvent> = [];
    const client = createEngineClient(optionsFor(row, world.baseUrl, events));
    const ended = await client.withResponse.get("zipper@0.1").then(
      ({ data, requests }) => ({
        ends: equals(endpoints.get.response, data, theEngine) ? "data" : "other data",
        attempts: requests,
      }),
      (error: unknown) => error,
    );
    const { ends, attempts, arrived } = row.expected;
    const failed = ended instanceof EngineError ? { ends: ended.reason._tag, attempts: ended.requests } : ended;
    const once = { ends, attempts: 1, arrived: 1 };
    expect({ ...(failed as object), arrived: world.server.arrived.length }).toEqual(
      row.hangs === undefined ? { ends, attempts, arrived: arrived ?? attempts } : once,
    );
    const visible = [String(ended), JSON.stringify(ended), inspect(failed === ended ? {} : ended, { depth: 20 })];
    expect([...visible, JSON.stringify(events)].filter((text) => text.includes(theToken))).toEqual([]);
    await row.afterwards?.(world.server);
  }
  await expect.poll(() => leftover(before), { timeout: 20_000 }).toEqual([]);
});
