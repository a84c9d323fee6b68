// An upstream whose field numbers are not ours, or that lies about them, inside workerd. More than 200 lines: one upstream stands
// under all of it.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { decode, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { EngineSchema } from "@bytenite-engines/proto";
import { makeWire } from "@bytenite-engines/registry/api";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { readingsPerSample } from "../src/UpstreamTrust.ts";
import { cacheResult, startEdge, type Clock, type Edge, type Upstream } from "./edge.ts";

const protobuf = { accept: "application/x-protobuf" };
const json = { accept: "application/json" };
const ourDigest = { [schemaDigestHeader]: schemaDigests[EngineSchema.typeName] ?? "" };

const ours = makeWire();
/** Each of these two texts stands where we have the other one. */
const swapped = makeWire({ fieldNumbers: { "bytenite.engine.Engine": { name: 7, description: 2 } } });

/** What the upstream says of one of them; a test may change it. */
let zipperText: string;
const engineOf = (name: string) => {
  const engines: Readonly<Record<string, MessageInitShape<typeof EngineSchema>>> = {
    zipper: { name, description: zipperText, owner: "u-17", revision: 3, updatedAt: { seconds: 1_749_910_000n } },
    trainer: { name, description: "Trains.", owner: "u-18", updatedAt: { seconds: 1_749_920_000n } },
  };
  return create(EngineSchema, engines[name] ?? { name, description: `About ${name}.` });
};

let wire: typeof ours;
let headers: Record<string, string>;
let clock: Clock;
let asked: Array<string>;
let caching: Cache;
let opened = 0;

const upstream: Upstream = async (url, init) => {
  const name = new URL(url).pathname.split("/").at(-1) ?? "";
  const format = new Headers(init.headers).get("accept") === json.accept ? "json" : "protobuf";
  asked.push(`${name} ${format}`);
  const type = format === "json" ? json.accept : protobuf.accept;
  const body = wire.encode(EngineSchema, engineOf(name), format);
  return new Response(body as BodyInit, { headers: { "content-type": type, ...headers } });
};

const newEdge = (): Edge => startEdge(upstream, clock, caching);

/** What a client reads in JSON, and how the cache came by it. */
const readJson = async (edge: Edge, name: string, more: Record<string, string> = {}) => {
  const response = await edge.get("alice", `/engines/${name}`, { ...json, ...more });
  const { description } = decode(EngineSchema, new Uint8Array(await response.arrayBuffer()), "json");
  await edge.settle();
  return { description, result: cacheResult(response) };
};
const readProtobuf = async (edge: Edge, name: string): Promise<Uint8Array> => {
  const response = await edge.get("alice", `/engines/${name}`, protobuf);
  const bytes = new Uint8Array(await response.arrayBuffer());
  await edge.settle();
  return bytes;
};
const readBoth = async (edge: Edge, name: string) => {
  await readProtobuf(edge, name);
  return readJson(edge, name);
};

/** Reads many engines that were never seen, one a second; which of them came out wrong. */
const wrongAmongMany = async (edge: Edge): Promise<ReadonlyArray<number>> => {
  const wrong: Array<number> = [];
  for (let index = 0; index < readingsPerSample * 2; index++) {
    clock.ms += 1_000;
    const { description } = await readBoth(edge, `engine-${index}`);
    if (description !== `About engine-${index}.`) wrong.push(index);
  }
  return wrong;
};

beforeEach(async () => {
  wire = swapped;
  zipperText = "Packs.";
  headers = {};
  asked = [];
  clock = { ms: 1_700_000_000_000 };
  opened += 1;
  caching = await caches.open(`trust-${opened}`);
});

test("numbers that pairs have confirmed let one object answer both forms, though they are not ours", async () => {
  const edge = newEdge();
  expect(await readBoth(edge, "zipper")).toEqual({ description: "Packs.", result: "fwd=uri-miss" });
  expect(await readBoth(edge, "trainer")).toEqual({ description: "Trains.", result: "hit" });
  expect(asked).toEqual(["zipper protobuf", "zipper json", "trainer protobuf"]);
  // The protobuf stays what it was: their numbers, not ours.
  expect(await readProtobuf(edge, "trainer")).toEqual(swapped.encode(EngineSchema, engineOf("trainer"), "protobuf"));
});

test("what one isolate has learned is there for the next one of the data centre, from its first pair on", async () => {
  await readBoth(newEdge(), "zipper");
  clock.ms += 600_000;
  asked = [];
  const next = newEdge();
  // This one alone would teach next to nothing.
  await readBoth(next, "unknown");
  expect(await readBoth(next, "trainer")).toEqual({ description: "Trains.", result: "hit" });
  expect(asked).toEqual(["unknown protobuf", "unknown json", "trainer protobuf"]);
});

test("a client that wants nothing transformed gets each form as it came", async () => {
  const edge = newEdge();
  await readBoth(edge, "zipper");
  await readProtobuf(edge, "trainer");
  const independent = await readJson(edge, "trainer", { "cache-control": "no-transform" });
  expect(independent).toEqual({ description: "Trains.", result: "fwd=uri-miss" });
  expect(asked.at(-1)).toBe("trainer json");
});

test("an upstream that wants nothing transformed is obeyed", async () => {
  headers = { ...ourDigest, "cache-control": "max-age=60, no-transform" };
  wire = ours;
  const edge = newEdge();
  expect(await readBoth(edge, "zipper")).toEqual({ description: "Packs.", result: "fwd=uri-miss" });
});

test("a digest that lies is found out before it misleads anybody", async () => {
  headers = ourDigest;
  const edge = newEdge();
  expect(await wrongAmongMany(edge)).toEqual([]);
});

test("a digest that begins to lie is found out by one of many objects, and what was made until then is gone", async () => {
  headers = ourDigest;
  wire = ours;
  const edge = newEdge();
  for (const name of ["zipper", "trainer"]) await readBoth(edge, name);
  wire = swapped;
  const wrong = await wrongAmongMany(edge);
  expect(wrong.length).toBeGreaterThan(0);
  expect(Math.max(...wrong)).toBeLessThan(readingsPerSample);
  for (const index of wrong) {
    expect((await readJson(edge, `engine-${index}`)).description).toBe(`About engine-${index}.`);
  }
});

test("a digest that holds costs one request more for many objects", async () => {
  headers = ourDigest;
  wire = ours;
  const edge = newEdge();
  expect(await wrongAmongMany(edge)).toEqual([]);
  expect(asked.filter((one) => one.endsWith(" json"))).toHaveLength(2);
});

test("halves that were fetched at different times teach nothing", async () => {
  const edge = newEdge();
  await readProtobuf(edge, "zipper");
  clock.ms += 30_000;
  await readJson(edge, "zipper");
  expect((await readBoth(edge, "trainer")).result).toBe("fwd=uri-miss");
});

test("an upstream that gives its fields other numbers is noticed, and read right again", async () => {
  const edge = newEdge();
  await readBoth(edge, "zipper");
  wire = ours;
  expect(Math.max(0, ...(await wrongAmongMany(edge)))).toBeLessThan(readingsPerSample);
  expect((await readBoth(edge, "trainer")).description).toBe("Trains.");
});

test("without a digest, an object that changed makes its kind wait for JSON: no value is wrong after a renumbering", async () => {
  const edge = newEdge();
  await readBoth(edge, "zipper");
  expect((await readBoth(edge, "trainer")).result).toBe("hit");
  wire = ours;
  clock.ms += 61_000;
  // One object that was known is fetched again; the others were never seen, nor were their texts.
  await readProtobuf(edge, "zipper");
  expect(await wrongAmongMany(edge)).toEqual([]);
  expect((await readBoth(edge, "trainer")).description).toBe("Trains.");
});

test("an object that changed without a renumbering costs one request, and one that did not change costs none", async () => {
  const edge = newEdge();
  await readBoth(edge, "zipper");
  expect((await readBoth(edge, "trainer")).result).toBe("hit");
  const laterRound = async (): Promise<ReadonlyArray<string>> => {
    clock.ms += 200_000;
    asked = [];
    for (const name of ["zipper", "trainer"]) await readBoth(edge, name);
    return asked;
  };
  expect(await laterRound()).toEqual(["zipper protobuf", "trainer protobuf"]);
  zipperText = "Packs files.";
  expect(await laterRound()).toEqual(["zipper protobuf", "zipper json", "trainer protobuf"]);
  expect((await readJson(edge, "zipper")).description).toBe("Packs files.");
});

/** Where it is kept. */
const key = `https://trust.bytenite-engines.invalid/1/${encodeURIComponent("http://upstream.example")}`;

const dateless = (text = ""): string => text.replaceAll(/"date": "[^"]*"/g, "");

test("what is kept and cannot be read is told in the log, and learned anew; what a newer version kept stays", async () => {
  const warn = vi.spyOn(console, "warn").mockReturnValue();
  onTestFinished(() => warn.mockRestore());
  await readBoth(newEdge(), "zipper");
  const learned = (await (await caching.match(key))?.text()) ?? "";
  const newer = learned.replace('"version": 1', '"version": 2');
  for (const [kept, after] of [
    ["{", learned],
    [newer, newer],
  ] as const) {
    await caching.put(key, new Response(kept, { headers: { "cache-control": "max-age=600" } }));
    clock.ms += 600_000;
    warn.mockClear();
    const edge = newEdge();
    await readBoth(edge, "zipper");
    expect(await readBoth(edge, "trainer")).toEqual({ description: "Trains.", result: "hit" });
    expect(warn.mock.calls).toEqual([[expect.stringContaining("ProfileError: profile: ")]]);
    expect(dateless(await (await caching.match(key))?.text())).toBe(dateless(after));
  }
});

test("what is kept for other isolates holds no value of any answer", async () => {
  await readBoth(newEdge(), "zipper");
  const kept = (await (await caching.match(key))?.text()) ?? "";
  expect(kept).toContain('"number": 7');
  expect(kept).not.toMatch(/zipper|Packs|u-17|alice/);
});
