// The fault table against real servers.
import { expect, test } from "vitest";
import { faultRows } from "../src/fault/FaultTable.ts";
import { held, leftover } from "../src/fault/Held.ts";
import { errorOf, startRow } from "../src/fault/FaultRun.ts";
import { expectedOutcome, outcomeOf, visibleOf } from "../src/fault/Outcome.ts";
import { theToken } from "../src/fault/FaultRow.ts";

test.for(faultRows.map((row) => [row.name, row] as const))("%s", { timeout: 60_000 }, async ([, row]) => {
  const before = held();
  {
    await using world = await startRow(row);
    const ran = await world.run();
    expect(outcomeOf(ran, world.server)).toEqual(expectedOutcome(row.expected));
    expect(errorOf(ran)?.message ?? "").toMatch(row.expected.says ?? /^/);
    // Neither the token, nor an answer whole, which may repeat it.
    expect(visibleOf(ran).filter((text) => text.includes(theToken) || text.includes('"headers":'))).toEqual([]);
    await row.afterwards?.(world.server);
  }
  await expect.poll(() => leftover(before), { timeout: 20_000 }).toEqual([]);
});
