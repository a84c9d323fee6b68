import * as fc from "fast-check";
import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { sizeOf } from "./Entry.ts";
import { createIdentities, type Identity } from "./Identity.ts";
import { routeOf, type Route } from "./Request.ts";
import { cacheKey, createMemory } from "./Store.ts";

test("an entry is there for its owner only, whatever the key", () => {
  const memory = createMemory(1e6, 100);
  const entry = entryWith({ owner: "alice" });
  memory.set("k", [entry]);
  expect(memory.get("k", "alice")).toEqual([entry]);
  expect(memory.get("k", "bob")).toEqual([]);
});

test("the least recently used entry goes first", () => {
  const memory = createMemory(1e6, 2);
  memory.set("a", [entryWith()]);
  memory.set("b", [entryWith()]);
  memory.get("a", "alice");
  memory.set("c", [entryWith()]);
  expect(["a", "b", "c"].map((key) => memory.get(key, "alice").length > 0)).toEqual([true, false, true]);
});

test("an entry that would take more than a quarter is not kept, nor anything without capacity", () => {
  const memory = createMemory(20_000, 10);
  memory.set("a", [entryWith({ bytes: new Uint8Array(6_000) })]);
  expect(memory.count()).toBe(0);
  const none = createMemory(1e6, 0);
  none.set("a", [entryWith()]);
  expect(none.count()).toBe(0);
});

test("an entry that grew is counted again", () => {
  const memory = createMemory(1e6, 10);
  const entry = entryWith();
  memory.set("a", [entry]);
  const before = memory.size();
  entry.other = entryWith({ bytes: new Uint8Array(1_000) });
  memory.set("a", memory.get("a", "alice"));
  expect(memory.size()).toBeGreaterThan(before + 1_000);
  memory.delete("a");
  expect([memory.count(), memory.size()]).toEqual([0, 0]);
});

const filled = (maxBytes: number): ReturnType<typeof createMemory> => {
  const memory = createMemory(maxBytes, 4);
  for (const key of ["a", "b", "c", "d"]) memory.set(key, [entryWith({})]);
  return memory;
};

test("entries that fill the memory exactly are kept", () => {
  expect(filled(filled(1e6).size()).count()).toBe(4);
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
      const memory = createMemory(40_000, 5);
      for (const each of steps) {
        const owner = owners[each.owner] ?? "";
        const key = `k${each.key}`;
        if (each.do === "set") memory.set(key, [entryWith({ owner, bytes: new Uint8Array(each.length) })]);
        else if (each.do === "get") memory.get(key, owner);
        else if (each.do === "delete") memory.delete(key);
        else memory.replaceAll((entry) => (entry.owner === owner ? undefined : entry));
        let bytes = 0;
        let entries = 0;
        for (let index = 0; index < 10; index++) {
          for (const name of owners) {
            const [entry] = memory.get(`k${index}`, name);
            if (entry === undefined) continue;
            expect(each.do === "forget" && name === owner).toBe(false);
            bytes += sizeOf(entry) + 4;
            entries += 1;
          }
        }
        expect([memory.size(), memory.count()]).toEqual([bytes, entries]);
        expect(memory.size()).toBeLessThanOrEqual(40_000);
        expect(memory.count()).toBeLessThanOrEqual(5);
      }
    }),
  );
});

test("fields take memory, too", () => {
  const memory = createMemory(1_000_000, 5);
  const client = [["x-long", "x".repeat(200_000)]] as const;
  memory.set("k", [entryWith({ client })]);
  expect(memory.size()).toBeGreaterThan(200_000);
  memory.set("k", [entryWith({ client: [...client, ...client] })]);
  expect(memory.size()).toBe(0);
});

const anyTarget = fc
  .tuple(fc.constantFrom("a", "b", "a@1", "a@1.0", "ab"), fc.constantFrom("", "/status"))
  .map(([tag, rest]) => `/v1/dev/engines/${tag}${rest}`);
const anyRequest = fc.record({
  token: fc.constantFrom("t", "tt", "t/json", "protobuf", "json/engines"),
  target: fc.oneof(anyTarget, fc.constantFrom("/v1/dev/engines", "/v1/dev/engines?isPublic=true")),
  format: fc.constantFrom("json", "protobuf"),
});

test("two requests have the same key only if their tokens, their targets and the forms asked for are the same", async () => {
  const identities = createIdentities();
  const keyOf = async ({ token, target, format }: { token: string; target: string; format: "json" | "protobuf" }) => {
    const identity: Identity = await identities.of(token);
    return cacheKey(identity.digest, routeOf("GET", target, []) as Route, format);
  };
  await fc.assert(
    fc.asyncProperty(anyRequest, anyRequest, async (one, other) => {
      const areSame = one.token === other.token && one.target === other.target && one.format === other.format;
      expect((await keyOf(one)) === (await keyOf(other))).toBe(areSame);
    }),
    { numRuns: 500 },
  );
});

test("a key names the digest of the token, never the token", async () => {
  const identity = await createIdentities().of("token-0123456789");
  const key = cacheKey(identity.digest, routeOf("GET", "/v1/dev/engines/a", []) as Route, "protobuf");
  expect(key).toBe(`${identity.digest}/protobuf/engines/a`);
  expect(key).not.toContain("token-0123456789");
});

test("all requests that come with a token at once get one identity: what is noted of it holds for each", async () => {
  const identities = createIdentities();
  const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => identities.of("the-token")));
  for (const other of others) expect(other).toBe(first);
  expect(identities.recall("the-token")).toBe(first);
  expect(await identities.of("another")).not.toBe(first);
});

test("4,000 identities are remembered", async () => {
  const identities = createIdentities();
  for (let index = 0; index <= 4_000; index++) await identities.of(`t${index}`);
  expect([0, 1, 4_000].map((index) => identities.recall(`t${index}`) !== undefined)).toEqual([false, true, true]);
});

test("a new identity has nothing noted, and a key that does not leave the runtime", async () => {
  const { key, digest, ...rest } = await createIdentities(["a-server-secret"]).of("the-token");
  expect(rest).toEqual({
    previous: undefined,
    expiresAtMs: Number.POSITIVE_INFINITY,
    revoked: { sequence: 0, atMs: 0 },
    notesReadAtMs: 0,
    noted: { count: 0, untilMs: 0 },
    hasEntries: false,
  });
  expect([key.extractable, key.usages, digest.length]).toEqual([false, ["encrypt", "decrypt"], 32]);
});

test("identities are forgotten beyond four million characters of tokens, the oldest first", async () => {
  const identities = createIdentities();
  const tokens = ["a", "b", "c", "d", "e"].map((character) => character.repeat(900_000));
  for (const token of tokens) await identities.of(token);
  expect(tokens.map((token) => identities.recall(token) !== undefined)).toEqual([false, true, true, true, true]);
});
