// Purge log of all data centres, in a Durable Object.
import { DurableObject } from "cloudflare:workers";
import type { Purge, PurgeLogStub } from "./Purge.ts";

/** Records that are kept; the oldest ones become one purge of everything up to then. */
const maxRecords = 5_000;
/** Records that are deleted at a time: the most that storage takes at once. */
const deletedAtOnce = 128;

const keyOf = (number: number): string => `purge/${number.toString().padStart(15, "0")}`;

/** Single-threaded, with durable storage: purges that arrive at the same time are all kept, in one order. */
export class PurgeLog extends DurableObject implements PurgeLogStub {
  async append(purge: Purge): Promise<number> {
    const { storage } = this.ctx;
    const last = ((await storage.get<number>("last")) ?? 0) + 1;
    await storage.put({ last, [keyOf(last)]: purge });
    const first = (await storage.get<number>("first")) ?? 1;
    if (last - first >= maxRecords + deletedAtOnce) {
      const keys = Array.from({ length: deletedAtOnce }, (_, index) => keyOf(first + index));
      const newest = await storage.get<Purge>(keyOf(first + deletedAtOnce - 1));
      const everything: Purge = { atMs: newest?.atMs ?? purge.atMs, hard: true };
      await storage.put({ first: first + deletedAtOnce, everything });
      await storage.delete(keys);
    }
    return last;
  }

  async since(number: number): Promise<{ readonly purges: ReadonlyArray<Purge>; readonly last: number }> {
    const { storage } = this.ctx;
    const records = await storage.list<Purge>({ prefix: "purge/", start: keyOf(number + 1) });
    const first = (await storage.get<number>("first")) ?? 1;
    const everything = number + 1 < first ? await storage.get<Purge>("everything") : undefined;
    const last = (await storage.get<number>("last")) ?? 0;
    return { purges: [...(everything === undefined ? [] : [everything]), ...records.values()], last };
  }
}
