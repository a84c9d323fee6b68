// The log of purges: a Durable Object.
import { DurableObject } from "cloudflare:workers";
import type { Purge, PurgeLogStub } from "./Purge.ts";

const maxRecords = 5_000; // records that are kept; the oldest ones become one purge of everything up to then
const deletedAtOnce = 128; // records that are deleted at a time: the most that storage takes at once
const keyOf = (number: number): string => `purge/${number.toString().padStart(15, "0")}`;

/** Single-threaded, with durable storage: purges that arrive at the same time are all kept, in one order. */
export class PurgeLog extends DurableObject implements PurgeLogStub {
  async append(purge: Purge): Promise<number> {
    const { storage } = this.ctx;
    const last = ((await storage.get<number>("last")) ?? 0) + 1;
    await storage.put({ last, [keyOf(last)]: purge });
    if (last > maxRecords && last % deletedAtOnce === 0) {
      await storage.delete(Array.from({ length: deletedAtOnce }, (_, index) => keyOf(last - maxRecords - index)));
    }
    return last;
  }
  async since(number: number): Promise<{ readonly purges: ReadonlyArray<Purge>; readonly last: number }> {
    const { storage } = this.ctx;
    const start = keyOf(number + 1);
    const records = await storage.list<Purge>({ prefix: "purge/", start });
    const last = (await storage.get<number>("last")) ?? 0;
    const [oldest] = records;
    const everything = oldest === undefined || oldest[0] === start ? [] : [{ atMs: oldest[1].atMs, hard: true }];
    return { purges: [...everything, ...records.values()], last };
  }
}
