import * as fc from "fast-check";
import { schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { expect, onTestFinished, test, vi } from "vitest";
import { entryWith } from "../test/entry.ts";
import { outdated, sizeOf, type Entry } from "./Entry.ts";
import { createIdentities, type Identity } from "./Identity.ts";
import { notesInCache, notesInLog, type Purge, type PurgeNotes } from "./Purge.ts";
import { parseRequest, routeOf, type Route } from "./Request.ts";
import { cacheKey, createMemory, createStore, nobody } from "./Store.ts";

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
        else memory.replaceAll(() => undefined, new Set([owner]));
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
  const tokens = ["a", "b", "c", "d"].map((character) => character.repeat(1_000_000));
  for (const token of tokens) await identities.of(token);
  expect(tokens.map((token) => identities.recall(token) !== undefined)).toEqual([true, true, true, true]);
  await identities.of("e");
  expect(tokens.map((token) => identities.recall(token) !== undefined)).toEqual([false, true, true, true]);
});

test.each<[string, "" | "json" | "protobuf", string]>([
  ["/engines/a", "protobuf", "alice/protobuf/engines/a"],
  ["/engines/a", "", "alice//engines/a"],
  ["/other//x%20y?a=%31", "json", "alice/other/v1/dev/other/x%20y?a=%31"],
  ["/other/%78%20y", "", "alice/other/v1/dev/other/x%20y"],
  ["/other/a%3Fb%23?c", "json", "alice/other/v1/dev/other/a%3Fb%23?c"],
  ["/other/%zz?q", "json", "alice/other/v1/dev/other/%zz?q"],
])("the key of %s in the form %j is %s", (path, format, key) => {
  expect(cacheKey("alice", routeOf("GET", `/v1/dev${path}`, ["/v1/dev"]) as Route, format)).toBe(key);
});

test("entries are there since a time, and change together where one of them does", () => {
  const memory = createMemory(1e6, 100);
  const [one, other] = [entryWith({ fetchedAtMs: 0 }), entryWith({ fetchedAtMs: 5 })];
  memory.set("k", [one, other]);
  expect([memory.get("k", "alice"), memory.get("k", "alice", 4), memory.get("k", "alice", 5)]).toEqual([
    [one, other],
    [other],
    [],
  ]);
  const changed = entryWith({ bytes: new Uint8Array(100) });
  memory.replaceAll((entry) => (entry === one ? changed : entry), new Set([undefined]));
  expect(memory.get("k", "alice")).toEqual([changed, other]);
  memory.replaceAll((entry) => (entry === changed ? undefined : entry), new Set([undefined]));
  expect(memory.get("k", "alice")).toEqual([other]);
  memory.replaceAll(() => undefined, new Set(["bob"]));
  expect(memory.get("k", "alice")).toEqual([other]);
});

const config = { deployment: "test", forwardedPaths: ["/v1/dev/other"] };
const requestOf = (path: string, fields: Record<string, string> = {}) => {
  const request = parseRequest("GET", new Headers(fields), `/v1/dev${path}`, config);
  if ("status" in request) throw new Error(request.message);
  return request;
};
const zipper = requestOf("/engines/zipper");

/** A data centre, whose Cache API is a map. Each isolate has what it knows of a token to itself. */
type NotesOf = (edge: Pick<Cache, "match" | "put" | "delete">) => PurgeNotes;

const start = (notesOf?: NotesOf, nearOf?: NotesOf) => {
  const clock = { ms: 1_000 };
  const stored = new Map<string, Response>();
  const looks: Array<string> = [];
  const edge = {
    match: async (url: string) => {
      looks.push(url);
      return stored.get(url)?.clone();
    },
    put: async (url: string, response: Response) => void stored.set(url, response),
    delete: async (url: string) => stored.delete(url),
  } as Pick<Cache, "match" | "put" | "delete">;
  const isolate = async (memoryBytes = 1e8, token = "alice") => {
    const notes = notesOf?.(edge);
    const store = createStore(createMemory(memoryBytes, 20_000), edge, notes, () => clock.ms, nearOf?.(edge) ?? notes);
    const identity = await createIdentities().of(token);
    const owner = identity.digest;
    const left: Array<Promise<unknown>> = [];
    const context = { waitUntil: (work: Promise<unknown>) => void left.push(work), isGone: () => false };
    const add = (changes: Partial<Entry> = {}, asked = store.ask(), request = zipper): boolean =>
      store.put(identity, request, entryWith({ owner, fetchedAtMs: asked.atMs, ...changes }), asked, context);
    return {
      store,
      identity,
      owner,
      add,
      /** Stores an entry, also in the data centre. */
      put: async (changes: Partial<Entry> = {}, asked = store.ask(), request = zipper): Promise<boolean> => {
        const isStored = add(changes, asked, request);
        await Promise.all(left.splice(0));
        return isStored;
      },
      find: (formats: ReadonlyArray<"json" | "protobuf"> = ["json"], { route } = zipper) =>
        store.find(owner, identity, route, formats),
      inMemory: ({ route } = zipper) => store.memory.get(cacheKey(owner, route), owner),
    };
  };
  return { clock, stored, looks, isolate };
};

const lasting = (lifetimeMs: number, responseTimeMs = 1_000) => ({
  ...entryWith().freshness,
  lifetimeMs,
  responseTimeMs,
});
const tagged = [["etag", '"up"']] as const;

test.each<[string, Partial<Entry>, string | undefined]>([
  ["for an hour", { freshness: lasting(3_600_000) }, "max-age=3600"],
  ["for an hour, and ten minutes to be validated", { freshness: lasting(3_600_000), headers: tagged }, "max-age=4200"],
  ["for the rest of a second", { freshness: lasting(1) }, "max-age=1"],
  ["not at its end", { freshness: lasting(0) }, undefined],
  ["until its token expires", { freshness: lasting(9_000_000) }, "max-age=7200"],
  ["at a megabyte", { bytes: new Uint8Array(1024 * 1024) }, "max-age=60"],
  ["not beyond a megabyte", { bytes: new Uint8Array(1024 * 1024 + 1) }, undefined],
  ["not as a part", { part: { first: 0, total: 9, askedRange: "bytes=0-1" } }, undefined],
])("the data centre keeps an entry %s", async (_what, changes, expected) => {
  const { stored, isolate } = start();
  const { identity, owner, put } = await isolate();
  identity.expiresAtMs = 7_201_000;
  expect([await put(changes), identity.hasEntries]).toEqual([true, true]);
  expect(Array.from(stored, ([url, { headers }]) => [url, ...headers])).toEqual(
    expected === undefined ? [] : [[`https://e.invalid/9/${owner}/json/engines/zipper`, ["cache-control", expected]]],
  );
});

test("of a key 32 entries are kept, the latest first", async () => {
  const { isolate } = start();
  const { add, inMemory } = await isolate();
  for (let index = 0; index <= 32; index++) add({ vary: [["accept-language", `l${index}`]], status: 200 + index });
  expect(inMemory().map(({ status }) => status)).toEqual(Array.from({ length: 32 }, (_, index) => 232 - index));
});

test("answers change an object in the order of their requests", async () => {
  const { clock, isolate } = start();
  const { store, identity, add, inMemory } = await isolate();
  const [first, second, third] = [store.ask(), store.ask(), store.ask()];
  expect([first, third]).toEqual([
    { sequence: 1, atMs: 1_000 },
    { sequence: 3, atMs: 1_000 },
  ]);
  expect([add({ status: 203 }, second), add({}, first), add({ status: 404 }, second)]).toEqual([true, false, true]);
  expect(inMemory().map(({ status }) => status)).toEqual([404]);
  clock.ms = 10;
  expect(store.purgeTime()).toBe(1_000);
  clock.ms = 1_000;
  // Not before a 401, nor what a purge lies on.
  identity.revoked = { sequence: 3, atMs: 0 };
  expect([add({}, second), add({}, third)]).toEqual([false, true]);
  await store.purge({ atMs: 1_000, hard: false });
  expect([add({}, store.ask()), add({ fetchedAtMs: 1_001 }, store.ask())]).toEqual([false, true]);
});

test("the last changes of 10,000 objects are remembered; a response to a request before a forgotten one changes nothing", async () => {
  const { isolate } = start();
  const { store } = await isolate();
  const anyone = entryWith({ owner: nobody });
  const put = (path: string, asked = store.ask()) =>
    store.put(undefined, requestOf(path), anyone, asked, { waitUntil: () => {}, isGone: () => false });
  const [early, before] = [store.ask(), store.ask()];
  for (let index = 0; index < 10_000; index++) put(`/engines/a${index}`);
  expect([put("/engines/b", before), put("/engines/b", early)]).toEqual([true, false]);
  expect([put("/engines/c", before), put("/engines/c")]).toEqual([false, true]);
});

test("what another isolate stored is found, and ordered by time", async () => {
  const { clock, looks, isolate } = start();
  const [other, own] = [await isolate(), await isolate()];
  clock.ms = 2_000;
  await other.put({ freshness: lasting(60_000, 2_000) });
  clock.ms = 1_500;
  expect(await own.find()).toEqual([expect.objectContaining({ fetchedAtMs: 2_000, owner: own.owner })]);
  expect([own.identity.hasEntries, own.inMemory().length, own.store.undecryptable()]).toEqual([true, 1, 0]);
  const [found = entryWith()] = own.inMemory();
  expect([own.store.holds(zipper.route, found), own.store.purgeTime()]).toEqual([true, 2_000]);
  const before = looks.length;
  expect([(await own.find()).length, looks.length - before]).toEqual([1, 0]);
  clock.ms = 2_000;
  expect([own.add({ fetchedAtMs: 2_000 }), own.add({ fetchedAtMs: 2_001 }, { sequence: 99, atMs: 2_001 })]).toEqual([
    false,
    true,
  ]);
});

test("what another isolate stored leaves the numbers of requests here as they were", async () => {
  const { clock, isolate } = start();
  const [other, own] = [await isolate(), await isolate()];
  const [, early, late] = [own.store.ask(), own.store.ask(), own.store.ask()];
  await own.store.remove(own.identity, zipper.route, late);
  clock.ms = 2_000;
  await other.put({ freshness: lasting(60_000, 2_000) });
  expect((await own.find()).length).toBe(1);
  expect([own.add({}, { ...early, atMs: 3_000 }), own.add({}, { ...late, atMs: 3_000 })]).toEqual([false, true]);
});

test("without memory an isolate finds its own entry in the data centre, and replaces it at the same moment", async () => {
  const { isolate } = start();
  const own = await isolate(0);
  await own.put();
  expect([(await own.find()).length, await own.put({ status: 203 })]).toEqual([1, true]);
  expect((await own.find()).map(({ status }) => status)).toEqual([203]);
});

test.each([
  [1_000, false],
  [1_001, true],
])("an object was removed at 1,000; what another isolate asked for at %i is there: %s", async (atMs, expected) => {
  const { clock, isolate } = start();
  const [other, own] = [await isolate(), await isolate()];
  await own.store.remove(own.identity, zipper.route, own.store.ask());
  clock.ms = atMs;
  await other.put();
  expect((await own.find()).length === 1).toBe(expected);
});

test("what the data centre has from before a 401 is not used", async () => {
  const { clock, isolate } = start();
  const [other, own] = [await isolate(), await isolate()];
  await other.put();
  own.identity.revoked = { sequence: 0, atMs: 1_000 };
  expect(await own.find()).toEqual([]);
  clock.ms = 1_001;
  await other.put();
  expect((await own.find()).length).toBe(1);
});

test("an entry of the data centre takes the place of an older one in its form, not of one in the other", async () => {
  const { clock, isolate } = start();
  const [other, own] = [await isolate(), await isolate()];
  const inProtobuf = { askedFormat: "protobuf", format: "protobuf" } as const;
  own.add({ ...inProtobuf, freshness: lasting(1, 900_000) });
  own.add({ freshness: lasting(1) });
  clock.ms = 2_000;
  await other.put({ status: 203, freshness: lasting(60_000, 1_001) });
  expect((await own.find()).map(({ status }) => status)).toEqual([203, 200]);
  expect(own.inMemory().map(({ status, askedFormat }) => [status, askedFormat])).toEqual([
    [203, "json"],
    [200, "protobuf"],
  ]);
});

test("a stale entry is found once, though the data centre has it, too", async () => {
  const { clock, looks, isolate } = start();
  const own = await isolate();
  await own.put({ headers: tagged });
  clock.ms = 100_000;
  expect((await own.find()).length).toBe(1);
  expect(looks.length).toBe(1);
  expect([await own.store.find(own.owner, undefined, zipper.route, ["json"]), looks.length]).toEqual([
    own.inMemory(),
    1,
  ]);
});

test("of the forms of an object fresh ones come first, and the Cache API is looked up for each until one is fresh", async () => {
  const { clock, looks, isolate } = start();
  const [other, own] = [await isolate(), await isolate()];
  const formats = ["json", "protobuf"] as const;
  expect([await own.find(formats), looks.length, own.identity.hasEntries]).toEqual([[], 2, false]);
  own.add({ freshness: lasting(1), headers: tagged, vary: [["accept-language", "de"]] });
  clock.ms = 5_000;
  await other.put({ status: 203, freshness: lasting(60_000, 5_000) });
  expect((await own.find(formats)).map(({ status }) => status)).toEqual([203, 200]);
  expect(looks.length).toBe(3);
  // What this isolate has of a token that it had forgotten.
  own.identity.hasEntries = false;
  await own.find(formats);
  expect([own.identity.hasEntries, looks.length]).toEqual([true, 3]);
});

test("what cannot be decrypted is counted, and is not there", async () => {
  const { stored, isolate } = start();
  const own = await isolate();
  stored.set(`https://e.invalid/9/${own.owner}/json/engines/zipper`, new Response("x".repeat(100)));
  expect([await own.find(), own.store.undecryptable()]).toEqual([[], 1]);
});

test("an entry in the other form serves where that may be made, and is counted anew with it", async () => {
  const { isolate } = start();
  const own = await isolate();
  const client = [[schemaDigestHeader.toLowerCase(), schemaDigests["bytenite.engine.Engine"] ?? ""]] as const;
  own.add({ bytes: new TextEncoder().encode(`{"name":"${"zipper".repeat(100)}"}`), client });
  const [entry = entryWith()] = own.inMemory();
  const before = own.store.memory.size();
  expect([await own.find(["protobuf"]), own.store.memory.size()]).toEqual([[], before]);
  expect([await own.find(["protobuf", "json"]), own.store.memory.size() > before + 600]).toEqual([[entry], true]);
  const after = own.store.memory.size();
  const away = entryWith({ owner: own.owner, client, bytes: entry.bytes });
  expect((await own.store.asForm(zipper.route, away, "protobuf"))?.format).toBe("protobuf");
  expect([own.store.memory.size(), own.inMemory()]).toEqual([after, [entry]]);
});

test("what is removed is gone in both forms, here and in the data centre, and is uncacheable for ten seconds where a reason says so", async () => {
  const { clock, stored, isolate } = start();
  const own = await isolate();
  const other = requestOf("/other/x");
  await own.put();
  await own.put({ askedFormat: "protobuf", format: "protobuf" });
  await own.put({ endpoint: "other" }, own.store.ask(), other);
  const early = own.store.ask();
  expect([stored.size, own.store.uncacheable(own.owner, zipper.route)]).toEqual([3, undefined]);
  await own.store.remove(own.identity, zipper.route, own.store.ask(), "vary");
  expect([own.inMemory(), stored.size]).toEqual([[], 1]);
  await own.store.remove(own.identity, zipper.route, early);
  await own.store.remove(own.identity, other.route, own.store.ask());
  expect([own.inMemory(other), stored.size]).toEqual([[], 0]);
  const reasons = () => [zipper, other].map(({ route }) => own.store.uncacheable(own.owner, route));
  clock.ms += 9_999;
  expect(reasons()).toEqual(["vary", undefined]);
  clock.ms += 1;
  expect(reasons()).toEqual([undefined, undefined]);
});

test("an entry that was stored holds until a later answer, removal or purge", async () => {
  const { clock, isolate } = start();
  const { store, identity, add, inMemory } = await isolate();
  const entry = entryWith({ owner: identity.digest });
  expect(store.holds(zipper.route, entry)).toBe(false);
  add();
  const [stored = entry] = inMemory();
  expect([store.holds(zipper.route, stored), store.purgeOf(stored)]).toEqual([true, undefined]);
  await store.purge({ atMs: 1_000, hard: false });
  expect([store.holds(zipper.route, stored), store.purgeOf(stored)]).toEqual([false, "soft"]);
  clock.ms = 2_000;
  add();
  const [second = entry] = inMemory();
  expect([store.holds(zipper.route, stored), store.holds(zipper.route, second)]).toEqual([false, true]);
  await store.remove(identity, zipper.route, store.ask());
  expect(store.holds(zipper.route, second)).toBe(false);
});

test("a soft purge ends freshness, and serving stale before validation; a hard one ends the entry", async () => {
  const { isolate } = start();
  const { store, add, inMemory } = await isolate();
  expect(store.reach).toBe("in this isolate alone: there is neither a Cache API nor a PURGE_LOG");
  const freshness = { ...lasting(0), staleWhileRevalidateMs: 60_000, staleIfErrorMs: 5_000 };
  add({ freshness });
  await store.purge({ atMs: 1_000, hard: false });
  const [purged = entryWith()] = inMemory();
  expect(purged.freshness).toEqual({ ...freshness, staleWhileRevalidateMs: 0 });
  expect(store.afterPurges(purged)).toBe(purged);
  for (const [lifetimeMs, staleWhileRevalidateMs] of [
    [7, 7],
    [1, 0],
  ] as const) {
    const fresh = entryWith({ freshness: { ...lasting(lifetimeMs), staleWhileRevalidateMs } });
    expect(store.afterPurges(fresh)).toEqual(outdated(fresh));
  }
  const later = entryWith({ fetchedAtMs: 1_001 });
  expect(store.afterPurges(later)).toBe(later);
  await store.purge({ atMs: 1_000, hard: true });
  expect([store.afterPurges(purged), inMemory()]).toEqual([undefined, []]);
});

const context = { waitUntil: () => {}, isGone: () => false };

/** Notes in a log, with what was written to it. */
const logged = () => {
  const written: Array<Purge> = [];
  const notes = notesInLog(() => ({
    append: async (purge) => written.push(purge),
    since: async (number) => ({ purges: written.slice(number), last: written.length }),
  }));
  return { written, notes };
};

test.each<[string, "log" | "cache", [boolean, boolean], { hard: boolean; name?: string }, [boolean, boolean, boolean]]>(
  [
    ["an accepted token, of a name", "log", [true, false], { hard: true, name: "zipper" }, [true, false, true]],
    ["an accepted token, soft", "log", [true, false], { hard: false }, [true, false, true]],
    ["an accepted token, of everything", "log", [true, false], { hard: true }, [true, true, true]],
    ["a token with entries", "log", [false, true], { hard: false }, [true, false, true]],
    ["a token that may be made up, beside a log", "cache", [false, false], { hard: true }, [false, true, true]],
    ["a token that may be made up, beside a log", "log", [false, false], { hard: true }, [false, true, false]],
    ["a token that may be made up", "cache", [false, false], { hard: false }, [false, true, true]],
  ],
)(
  "a purge by %s is applied, ends what comes later of requests before it, and is recorded in the %s: %#",
  async (what, where, [isKnown, hasEntries], scope, expected) => {
    const { written, notes } = logged();
    const isLogged = where === "log" || what.endsWith("log");
    const { stored, isolate } = start(isLogged ? () => notes : notesInCache, notesInCache);
    const { store, identity, owner } = await isolate();
    identity.hasEntries = hasEntries;
    await store.purgeOwn(identity, isKnown, { atMs: 1_000, ...scope });
    const recorded = where === "log" ? written : await stored.get(`https://e.invalid/purges/${owner}`)?.json();
    expect(recorded).toEqual(expected[2] ? [{ atMs: 1_000, ...scope, owners: [owner] }] : []);
    const isApplied = store.purgeOf(entryWith({ owner })) !== undefined;
    expect([isApplied, identity.revoked.sequence === 1]).toEqual(expected.slice(0, 2));
    expect(identity.revoked.atMs).toBe(expected[1] ? 1_000 : 0);
  },
);

test("of one user ten purges are recorded between two readings, the last of everything until then", async () => {
  const { written, notes } = logged();
  const { isolate } = start(() => notes);
  const { store, identity, owner } = await isolate();
  const purge = (atMs: number) => store.purgeOwn(identity, true, { atMs, hard: false, name: `n${atMs}` });
  for (let index = 0; index < 12; index++) await purge(1_000 + index);
  expect(written.length).toBe(10);
  expect(written.slice(8)).toEqual([
    { atMs: 1_008, hard: false, name: "n1008", owners: [owner] },
    { atMs: 1_009, untilMs: 6_000, hard: true, owners: [owner] },
  ]);
  await purge(5_999);
  expect(written.length).toBe(10);
  for (let index = 0; index < 12; index++) await purge(6_000 + index);
  expect(written.length).toBe(20);
  expect(written[10]).toEqual({ atMs: 6_000, hard: false, name: "n6000", owners: [owner] });
  expect(written[19]).toEqual({ atMs: 6_009, untilMs: 11_000, hard: true, owners: [owner] });
});

test("what was asked before a purge is not stored either when the purges of 4,000 others have taken its place", async () => {
  const { clock, isolate } = start();
  const { store, identity, add } = await isolate();
  const before = store.ask();
  clock.ms += 1;
  await store.purgeOwn(identity, true, { atMs: clock.ms, hard: true, name: "other" });
  for (let other = 0; other < 4_000; other++) await store.purge({ atMs: clock.ms, hard: true, owners: [`o${other}`] });
  expect(add({}, before)).toBe(false);
  clock.ms += 1;
  expect(add()).toBe(true);
});

test("a purge by an operator is recorded", async () => {
  const { written, notes } = logged();
  const { store } = await start(() => notes).isolate();
  await store.purge({ atMs: 5, hard: true });
  expect([written, store.reach]).toEqual([[{ atMs: 5, hard: true }], notes.reach]);
});

test.each<[string, "log" | "cache" | "log and cache", boolean, boolean, boolean, boolean]>([
  ["an accepted token", "cache", true, false, false, true],
  ["a token with entries", "cache", false, true, false, true],
  ["a token whose entries are found meanwhile", "cache", false, false, true, true],
  ["a token that may be made up", "cache", false, false, false, false],
  ["an accepted token", "log", true, false, false, true],
  ["a token that may be made up", "log", false, false, false, true],
  ["an accepted token, which another isolate did not know", "log and cache", true, false, false, true],
  ["a token that may be made up, which another isolate did not know", "log and cache", false, false, false, false],
])("of %s the notes in the %s are applied: %#", async (_what, where, isKnown, hasEntries, isFound, expected) => {
  const { notes } = logged();
  const { clock, isolate } = start(where === "cache" ? notesInCache : () => notes, notesInCache);
  const [other, own] = [await isolate(), await isolate()];
  await other.store.purgeOwn(other.identity, where !== "log and cache", { atMs: 1_000, hard: true });
  own.identity.hasEntries = hasEntries;
  const found = Promise.withResolvers<void>();
  const reading = own.store.readNotes(own.identity, isKnown, found.promise, context);
  const isWaiting = !isKnown && !hasEntries;
  expect(await Promise.race([reading.then(() => "read"), new Promise((end) => setImmediate(end, "waits"))])).toBe(
    isWaiting ? "waits" : "read",
  );
  own.identity.hasEntries ||= isFound;
  found.resolve();
  await reading;
  expect(own.store.purgeOf(entryWith({ owner: own.owner })) !== undefined).toBe(expected);
  expect(own.identity.notesReadAtMs).toBe(isWaiting && !isFound ? 0 : 1_000);
  if (isWaiting && !isFound) return;
  const due = () => own.store.areNotesDue(own.identity, clock.ms);
  expect(own.identity.notesReadAtMs).toBe(1_000);
  const times = [1_000, 6_000, 6_001, -4_000, -4_001];
  expect(times.map((ms) => Object.assign(clock, { ms }) && due())).toEqual([false, false, true, false, true]);
});

test("one reading of the log serves all users for five seconds; they wait a second for it, and what it says later is applied then", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const readings: Array<PromiseWithResolvers<ReadonlyArray<Purge>>> = [];
  const read = (): Promise<ReadonlyArray<Purge>> => {
    readings.push(Promise.withResolvers());
    return readings.at(-1)?.promise ?? Promise.resolve([]);
  };
  const { clock, isolate } = start(() => ({ ...logged().notes, read }), notesInCache);
  const { store, identity, owner } = await isolate();
  const other = { ...identity, digest: "other" };
  const left: Array<Promise<unknown>> = [];
  const own = { ...context, waitUntil: (work: Promise<unknown>) => void left.push(work) };
  const users = [identity, other].map((user, index) => {
    clock.ms += index * 4_000;
    return store.readNotes(user, true, Promise.resolve(), own);
  });
  const ended = vi.fn<() => void>();
  void Promise.all(users).then(ended);
  expect([readings.length, left.length]).toEqual([1, 1]);
  await vi.advanceTimersByTimeAsync(999);
  expect(ended).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(ended).toHaveBeenCalled();
  const due = (ms: number) => [identity, other].map((user) => store.areNotesDue(user, ms));
  expect([due(6_000), due(6_001)]).toEqual([
    [false, false],
    [true, true],
  ]);
  readings[0]?.resolve([{ atMs: 1_000, hard: true }]);
  await left[0];
  expect(store.purgeOf(entryWith({ owner }))).toBe("hard");
  clock.ms = 6_000;
  void store.readNotes(identity, true, Promise.resolve(), own);
  expect(readings.length).toBe(1);
  clock.ms = 6_001;
  void store.readNotes(identity, true, Promise.resolve(), own);
  expect([readings.length, left.length]).toEqual([2, 2]);
});

test("notes that cannot be read are logged, and not due again at once; without notes none are", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const broken = { ...logged().notes, read: () => Promise.reject(new Error("no log")) };
  const { store, identity } = await start(() => broken, notesInCache).isolate();
  await store.readNotes(identity, true, Promise.resolve(), context);
  expect(said.mock.calls.map(([line]) => JSON.parse(String(line)))).toEqual([
    { level: "error", message: "the log of purges cannot be read", error: "Error: no log" },
  ]);
  said.mockRestore();
  expect([identity.notesReadAtMs, store.areNotesDue(identity, 6_000)]).toEqual([1_000, false]);
  const without = await start().isolate();
  await without.store.readNotes(identity, true, Promise.resolve(), context);
  expect(without.store.areNotesDue(identity, 1e9)).toBe(false);
});
