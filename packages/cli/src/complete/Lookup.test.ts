import { startRegistry } from "@bytenite-engines/registry/testing";
import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { as, makeHome, writeUserFile } from "../../test/Bne.ts";
import { lookUp } from "./Lookup.ts";

const registry = await startRegistry();
const home = makeHome();
afterAll(async () => {
  vi.unstubAllEnvs();
  home[Symbol.dispose]();
  await registry.stop();
});
beforeEach(() => {
  for (const [name, value] of Object.entries({ ...home.env, ...as(registry, "bob") })) vi.stubEnv(name, value);
  registry.requests.length = 0;
});

const values = async (...[what, words = []]: Parameters<typeof lookUp> | [Parameters<typeof lookUp>[0]]) =>
  (await lookUp(what, words)).map(({ value }) => value);
const alices = expect.arrayContaining(["zipper@0.1", "fanout-urls@0.5"]) as unknown;
const tags = ["frame-splitter@1.2", "word-count@0.9", "word-count@0.10"];

test("settings and profiles are offered without a request, engines by their tags or names", async () => {
  writeUserFile(home, '{"profiles":{"staging":{"baseUrl":"http://127.0.0.1:9/v1/dev"}}}');
  expect(await values("settings")).toContain("baseUrl");
  expect(await values("profiles")).toEqual(["default", "staging"]);
  expect(registry.requests).toEqual([]);
  expect((await lookUp("tags", []))[0]).toEqual({ value: "frame-splitter@1.2", summary: "partitioner" });
  expect(await values("names")).toEqual(["frame-splitter", "word-count"]);
  expect(registry.requests).toHaveLength(1);
});

test("flags of the line choose server, token and profile, wherever they stand", async () => {
  for (const [words, expected] of [
    [["get", ""], tags],
    [["--profile", "staging", "get", ""], tags],
    [["--token", registry.tokens["alice"] ?? "", "get", ""], alices],
    [["get", `--token=${registry.tokens["alice"]}`, ""], alices],
    [["get", "--base-url=http://127.0.0.1:9/v1/dev", ""], []],
    [["--base-url", "http://127.0.0.1:9/v1/dev", "get", ""], []],
    [["get", "--profile=nobody", ""], tags],
    [["get", "", "--token"], tags],
  ] as const) {
    expect([words, await values("tags", words)]).toEqual([words, expected]);
  }
  vi.stubEnv("BYTENITE_BASE_URL", "");
  expect(await values("tags", ["--profile", "staging", "get", ""])).toEqual([]);
});

test("engines are kept for a minute, and asked for anew when the file is damaged", async () => {
  await values("tags");
  const folder = join(home.path, "cache", "bytenite-engines", "completion");
  for (const file of readdirSync(folder)) utimesSync(join(folder, file), 1_000, 1_000);
  const at = async (ms: number): Promise<number> => {
    registry.requests.length = 0;
    vi.useFakeTimers({ toFake: ["Date"], now: ms });
    expect(await values("tags")).toEqual(tags);
    vi.useRealTimers();
    return registry.requests.length;
  };
  expect(await at(1_000_000 + 59_999)).toBe(0);
  expect(await at(1_000_000 + 60_000)).toBe(1);
  for (const file of readdirSync(folder)) writeFileSync(join(folder, file), '[{"name":');
  expect(await at(Date.now())).toBe(1);
});

test("engines are offered also where they cannot be kept", async () => {
  vi.stubEnv("XDG_CACHE_HOME", "/dev/null");
  expect(await values("tags")).toEqual(tags);
});

test("1,000 engines are offered at most, whatever a server sends", async () => {
  using other = makeHome();
  vi.stubEnv("XDG_CACHE_HOME", join(other.path, "cache"));
  const engines = Array.from({ length: 1_001 }, (_, index) => ({ name: `e${index}`, version: "1.0" }));
  const text = JSON.stringify({ engines, pagination: { total: engines.length, hasNext: true } });
  registry.faults.set([{ fault: { body: { text }, contentType: "application/json" } }]);
  expect(await values("names")).toEqual(engines.slice(0, 1_000).map(({ name }) => name));
  registry.faults.clear();
});
