import * as fc from "fast-check";
import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { sizeOf } from "./Entry.ts";
import { MemoryTier } from "./MemoryTier.ts";

test("an entry is there for its owner only, whatever the key", () => {
  const memory = new MemoryTier(1e6, 100);
  const entry = entryWith({ owner: "alice" });
  memory.set("k", entry);
  expect(memory.get("k", "alice")).toBe(entry);
  expect(memory.get("k", "bob")).toBeUndefined();
});

test("the least recently used entry goes first", () => {
  const memory = new MemoryTier(1e6, 2);
  memory.set("a", entryWith());
  memory.set("b", entryWith());
  memory.get("a", "alice");
  memory.set("c", entryWith());
  expect(["a", "b", "c"].map((key) => memory.get(key, "alice") !== undefined)).toEqual([true, false, true]);
});

test("an entry that would take more than a quarter is not kept, nor anything without room", () => {
  const memory = new MemoryTier(20_000, 10);
  memory.set("a", entryWith({ bytes: new Uint8Array(6_000) }));
  expect(memory.entries).toBe(0);
  const none = new MemoryTier(1e6, 0);
  none.set("a", entryWith());
  expect(none.entries).toBe(0);
});

test("an entry that grew is counted again, unless it is gone", () => {
  const memory = new MemoryTier(1e6, 10);
  const entry = entryWith();
  memory.set("a", entry);
  const before = memory.bytes;
  entry.other = entryWith({ bytes: new Uint8Array(1_000) });
  memory.recount("a", entry);
  expect(memory.bytes).toBeGreaterThan(before + 1_000);
  memory.delete("a");
  memory.recount("a", entry);
  expect([memory.entries, memory.bytes]).toEqual([0, 0]);
});

test("whatever is done, both bounds hold and the count of bytes is true", () => {
  const owners = ["alice", "bob"];
  const step = fc.oneof(
    fc.record({ do: fc.constant("set" as const), key: fc.nat(9), owner: fc.nat(1), length: fc.nat(9_000) }),
    fc.record({ do: fc.constantFrom("get" as const, "delete" as const), key: fc.nat(9), owner: fc.nat(1) }),
    fc.record({ do: fc.constant("forget" as const), key: fc.nat(9), owner: fc.nat(1) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = new MemoryTier(40_000, 5);
      for (const each of steps) {
        const owner = owners[each.owner] ?? "";
        const key = `k${each.key}`;
        if (each.do === "set") memory.set(key, entryWith({ owner, bytes: new Uint8Array(each.length) }));
        else if (each.do === "get") memory.get(key, owner);
        else if (each.do === "delete") memory.delete(key);
        else memory.forget(owner);
        let bytes = 0;
        let entries = 0;
        for (let index = 0; index < 10; index++) {
          for (const name of owners) {
            const entry = memory.get(`k${index}`, name);
            if (entry === undefined) continue;
            expect(each.do === "forget" && name === owner).toBe(false);
            bytes += sizeOf(entry) + 4;
            entries += 1;
          }
        }
        expect([memory.bytes, memory.entries]).toEqual([bytes, entries]);
        expect(memory.bytes).toBeLessThanOrEqual(40_000);
        expect(memory.entries).toBeLessThanOrEqual(5);
      }
    }),
  );
});
