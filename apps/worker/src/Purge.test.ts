import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { maxPurges, notesInCache, notesInLog, parsePurge, purgeForms, createPurges, type Purge } from "./Purge.ts";

const get = entryWith({ endpoint: "get", names: ["zipper"], fetchedAtMs: 1_000 });
const status = entryWith({ endpoint: "status", names: ["zipper"], fetchedAtMs: 1_000 });
const list = entryWith({ endpoint: "list", names: ["a", "zipper"], fetchedAtMs: 1_000 });
const other = entryWith({ endpoint: "list", names: ["a"], fetchedAtMs: 1_000 });
const unknown = entryWith({ endpoint: "list", names: null, fetchedAtMs: 1_000 });

test.each<[string, Omit<Purge, "hard">, ReadonlyArray<boolean>]>([
  ["everything", { atMs: 2_000 }, [true, true, true, true, true]],
  ["what was asked for at the same moment", { atMs: 1_000 }, [true, true, true, true, true]],
  ["nothing that was asked for later", { atMs: 999 }, [false, false, false, false, false]],
  ["an endpoint", { atMs: 2_000, endpoint: "list" }, [false, false, true, true, true]],
  ["what contains a name, or may", { atMs: 2_000, name: "zipper" }, [true, true, true, false, true]],
  [
    "a name of one user, and all lists",
    { atMs: 2_000, name: "zipper", owners: ["alice"] },
    [true, true, true, true, true],
  ],
  [
    "another name of one user, and all lists",
    { atMs: 2_000, name: "a", owners: ["alice"] },
    [false, false, true, true, true],
  ],
  ["a name of an endpoint", { atMs: 2_000, name: "zipper", endpoint: "status" }, [false, true, false, false, false]],
  ["no other name", { atMs: 2_000, name: "zip" }, [false, false, false, false, true]],
])("a purge takes %s", (_what, purge, expected) => {
  const purges = createPurges();
  purges.add([{ ...purge, hard: false }]);
  expect([get, status, list, other, unknown].map((entry) => purges.of(entry) !== undefined)).toEqual(expected);
});

test.each([
  ["all=true", { hard: false }],
  ["all=true&hard=false", { hard: false }],
  ["endpoint=list&hard=true", { hard: true, endpoint: "list" }],
  ["tag=zipper%400.1", { hard: false, name: "zipper" }],
  ["endpoint=get&tag=zipper", { hard: false, endpoint: "get", name: "zipper" }],
])("%s is read", (query, expected) => {
  expect(parsePurge(new URLSearchParams(query))).toStrictEqual(expected);
});

const nothing = `say what to purge: there are ${purgeForms}`;
const noTag = "tag must be a tag such as name, name@1 or name@1.2";
const noEndpoint = "endpoint must be one of list, get, status";

test.each([
  ["", nothing],
  ["hard=true", nothing],
  ["all=yes", "all must be true"],
  ["endpoint=engines", noEndpoint],
  ["endpoint=toString", noEndpoint],
  ["endpoint=", noEndpoint],
  ["tag=a/b", noTag],
  ["tag=", noTag],
  ["tag=a&hard=yes", "hard must be true or false"],
  // Half of what was asked for must not pass for all of it.
  ["endpoint=list&endpoint=get", "endpoint is given more than once: send one request for each"],
  ["tag=a&tag=b", "tag is given more than once: send one request for each"],
  ["all=true&tag=a", "all=true stands alone"],
  ["all=true&endpoint=get", "all=true stands alone"],
  // It would purge more or less than was meant.
  ["tags=zipper", `unknown parameter tags: there are ${purgeForms}`],
  ["token=alice", `unknown parameter token: there are ${purgeForms}`],
])("%j is refused: %s", (query, message) => {
  expect(parsePurge(new URLSearchParams(query))).toBe(message);
});

test("a clock that goes back does not end purges", () => {
  const purges = createPurges();
  expect([0, 10, 5, 11].map((nowMs) => purges.latest(nowMs))).toEqual([0, 10, 10, 11]);
  purges.add([{ atMs: 20, hard: false }]);
  expect([5, 21].map((nowMs) => purges.latest(nowMs))).toEqual([20, 21]);
});

test("a purge of responses still to come covers them, and sets the clock no later than itself", () => {
  const purges = createPurges();
  purges.add([{ atMs: 20, untilMs: 30, hard: true, owners: ["alice"] }]);
  const at = (fetchedAtMs: number) => purges.of(entryWith({ owner: "alice", fetchedAtMs }));
  expect([at(30), at(31), purges.latest(5)]).toEqual(["hard", undefined, 20]);
  // Also as a part of one of everything up to then, or of what is forgotten.
  for (let index = 0; index < 60; index++)
    purges.add([{ atMs: 21, hard: false, owners: ["alice"], name: `n${index}` }]);
  expect([at(30), at(31), purges.latest(5)]).toEqual(["hard", undefined, 21]);
  for (let owner = 0; owner < 4_000; owner++) purges.add([{ atMs: 21, hard: false, owners: [`o${owner}`] }]);
  expect([purges.floorMs(), purges.latest(5)]).toEqual([30, 21]);
});

test("what is added twice is known the second time", () => {
  const purges = createPurges();
  const [a, b, c] = ["a", "b", "c"].map((name, index): Purge => ({ atMs: index, hard: false, name })) as [
    Purge,
    Purge,
    Purge,
  ];
  expect(purges.add([a, b])).toEqual([a, b]);
  expect(purges.add([a, c])).toEqual([c]);
});

test("of the purges that were added 10,000 are known", () => {
  const purges = createPurges();
  const all = Array.from({ length: 10_000 }, (_, atMs): Purge => ({ atMs, hard: false }));
  purges.add(all);
  expect(purges.add(all.slice(0, 2))).toEqual([]);
  purges.add([{ atMs: 10_000, hard: false }]);
  expect(purges.add(all.slice(2, 4))).toEqual(all.slice(2, 3));
});

test.each([
  ["everybody", undefined, 200],
  ["one owner", "alice", 50],
])("the oldest purges of %s become one of everything up to then", (_what, owner, most) => {
  for (const [hardOne, expected] of [
    [-1, "soft"],
    [0, "hard"],
  ] as const) {
    const purges = createPurges();
    const add = (index: number): void =>
      void purges.add([
        {
          atMs: 1_000 + index,
          hard: index === hardOne,
          name: `n${index}`,
          ...(owner === undefined ? {} : { owners: [owner] }),
        },
      ]);
    const at = (fetchedAtMs: number, name = "other", of = "alice"): string | undefined =>
      purges.of(entryWith({ names: [name], fetchedAtMs, owner: of }));
    for (let index = 0; index < most; index++) add(index);
    expect(at(1_000)).toBeUndefined();
    add(most);
    expect([at(1_000), at(1_001), at(1_002), at(1_002, "n2")]).toEqual([expected, expected, undefined, "soft"]);
    expect(at(1_000, "n0", "bob")).toBe(owner === undefined ? expected : undefined);
  }
});

test("owners beyond a number are forgotten, and what the data centre has from before their purges is not used", () => {
  const purges = createPurges();
  const add = (owner: number, atMs: number): void => void purges.add([{ atMs, hard: false, owners: [`o${owner}`] }]);
  for (const atMs of [7, 8, 9]) add(0, atMs);
  for (let owner = 1; owner < 4_000; owner++) add(owner, 20);
  expect(purges.floorMs()).toBe(0);
  add(4_000, 30);
  expect(purges.floorMs()).toBe(9);
});

test("too many purges become one of everything, which forgets none of them", () => {
  const purges = createPurges();
  const many = Array.from({ length: maxPurges + 50 }, (_, index): Purge => ({
    atMs: index,
    hard: true,
    name: `n${index}`,
  }));
  for (const purge of many) purges.add([purge]);
  for (const { name = "", atMs } of many)
    expect(purges.of(entryWith({ names: [name], fetchedAtMs: atMs }))).toBe("hard");
  expect(purges.of(entryWith({ names: ["n1"], fetchedAtMs: 1_000 }))).toBeUndefined();
});

test("purges of one user take what is that user's, and the strongest one counts", () => {
  const purges = createPurges();
  purges.add([{ atMs: 5_000, hard: true, owners: ["alice"] }]);
  purges.add([{ atMs: 5_000, hard: false }]);
  expect([get, entryWith({ owner: "bob" })].map((entry) => purges.of(entry))).toEqual(["hard", "soft"]);
});

/** Notes in a cache that is a map. */
const cacheOf = () => {
  const stored = new Map<string, Response>();
  const store = {
    match: async (url: string) => stored.get(url)?.clone(),
    put: async (url: string, response: Response) => void stored.set(url, response),
    delete: async () => false,
  };
  return { stored, store, notes: notesInCache(store) };
};

test.each([
  "",
  "x",
  "null",
  "{}",
  '"x"',
  '[null, 1, {}, "x"]',
  '[{"atMs":"5","hard":true}]',
  '[{"atMs":5}]',
  '[{"hard":true}]',
  '[{"atMs":5,"hard":"yes"}]',
])("a note that is %j purges nothing", async (text) => {
  const { store } = cacheOf();
  expect(await notesInCache({ ...store, match: async () => new Response(text) }).read(["alice"])).toEqual([]);
});

test("what is no purge in a note hides none beside it", async () => {
  const { store } = cacheOf();
  const notes = notesInCache({ ...store, match: async () => new Response('[null,{"atMs":5,"hard":true}]') });
  expect(await notes.read([])).toEqual([{ atMs: 5, hard: true }]);
});

test("notes in the Cache API are of an owner or of everybody, and last a week", async () => {
  const { stored, notes } = cacheOf();
  const [general, own, second, others] = [
    { atMs: 1, hard: true },
    { atMs: 2, hard: false, owners: ["alice", "alice before"] },
    { atMs: 3, hard: false, owners: ["alice"] },
    { atMs: 4, hard: false, owners: ["bob"] },
  ] as const;
  for (const purge of [general, own, second, others]) await notes.write(purge);
  expect(await notes.read(["alice"])).toEqual([general, own, second]);
  expect(await notes.read(["alice before", "carol"])).toEqual([general, own]);
  expect([...stored.keys()]).toEqual(
    ["all", "alice", "alice before", "bob"].map((name) => `https://e.invalid/purges/${name}`),
  );
  const [first] = stored.values();
  expect(first?.headers.get("cache-control")).toBe("max-age=604800");
  expect(first?.headers.get("content-type")).toBe("application/json");
  expect(notes.reach).toBe(
    "at once in this isolate, within 5 seconds in its data centre; not in others (no PURGE_LOG is bound)",
  );
});

test.each([
  ["everybody", undefined, maxPurges],
  ["an owner", "alice", 50],
])("notes of %s are bounded, and remain theirs", async (_what, owner, most) => {
  const { notes } = cacheOf();
  const owned = owner === undefined ? {} : { owners: [owner] };
  for (let index = 0; index <= most; index++) await notes.write({ atMs: index, hard: false, name: "a", ...owned });
  const read = await notes.read(owner === undefined ? [] : [owner]);
  expect([read.length, read[0]]).toEqual([most, { atMs: 1, untilMs: 1, hard: false, ...owned }]);
  const purges = createPurges();
  purges.add(read);
  const of = (name: string) => purges.of(entryWith({ owner: name, names: ["b"], fetchedAtMs: 1 }));
  expect([of("alice"), of("bob")]).toEqual(["soft", owner === undefined ? "soft" : undefined]);
});

test("a note of an owner is theirs, also where it does not say so, as it was once written", async () => {
  const { notes, store } = cacheOf();
  await store.put("https://e.invalid/purges/alice", Response.json([{ atMs: 5, hard: true }]));
  expect(await notes.read(["alice", "bob"])).toEqual([{ atMs: 5, hard: true, owners: ["alice"] }]);
});

test("a Cache API that stores nothing ends no purge", async () => {
  const { store } = cacheOf();
  const refusing = notesInCache({ ...store, put: () => Promise.reject(new Error("full")) });
  await refusing.write({ atMs: 1, hard: true });
  expect(await refusing.read([])).toEqual([]);
});

test("notes in the log are read from where reading ended", async () => {
  const kept: Array<Purge> = [];
  const notes = notesInLog(() => ({
    append: async (purge) => kept.push(purge),
    since: async (number) => ({ purges: kept.slice(number), last: kept.length }),
  }));
  const [one, two] = [
    { atMs: 1, hard: true },
    { atMs: 2, hard: false },
  ];
  await notes.write(one);
  expect(await notes.read([])).toEqual([one]);
  await notes.write(two);
  expect(await notes.read(["alice"])).toEqual([two]);
  expect(notes.reach).toBe("at once in this isolate, within 5 seconds everywhere");
});
