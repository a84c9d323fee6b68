// The log of purges: a Durable Object.
import { DurableObject } from "cloudflare:workers";
import type { Purge, PurgeLogStub } from "./Purge.ts";

const maxRecords = 5_000; // records that are kept; the oldest ones become one purge of everything up to then
const keyOf = (number: number): string => `purge/${number.toString().padStart(15, "0")}`;

/** Single-threaded, with durable storage: purges that arrive at the same time are all kept, in one order. */
export class PurgeLog extends DurableObject implements PurgeLogStub {
  async append(purge: Purge): Promise<number> {
    const { storage } = this.ctx;
    const last = ((await storage.get<number>("last")) ?? 0) + 1;
    // Without an await between, storage does both or neither.
    await Promise.all([storage.put({ last, [keyOf(last)]: purge }), storage.delete(keyOf(last - maxRecords))]);
    return last;
  }
  async since(number: number): Promise<{ readonly purges: ReadonlyArray<Purge>; readonly last: number }> {
    const { storage } = this.ctx;
    const records = await storage.list<Purge>({ prefix: "purge/", start: keyOf(number + 1) });
    const last = (await storage.get<number>("last")) ?? 0;
    const oldest = number < last - maxRecords ? records.get(keyOf(last - maxRecords + 1)) : undefined;
    const everything = oldest === undefined ? [] : [{ atMs: oldest.atMs, hard: true }];
    return { purges: [...everything, ...records.values()], last };
  }
}
