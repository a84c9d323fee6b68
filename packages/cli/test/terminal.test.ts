import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { widthOf } from "../src/text/Width.ts";
import { as, binPath, bne, makeHome, type Home } from "./Bne.ts";
import { onTerminal, programOnTerminal } from "./Pty.ts";

/** Names are checked by the registry; descriptions are free, and so are the other texts. */
const hostile =
  "\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u009b2J\r\nline \u202eesrever\u202c \u200b\u0000 \u{e0041} \u001b]8;;http://evil\u0007x";

let registry: TestRegistry;
let home: Home;

beforeAll(async () => {
  registry = await startRegistry();
  home = makeHome();
  await registry.publish("bob", {
    name: "hostile",
    version: "1.0",
    description: hostile,
    entrypoint: hostile,
    type: hostile,
  });
  await registry.publish("bob", { name: "wide", version: "1.0", description: "説明 日本語の 👩‍👩‍👧 テキスト ".repeat(4) });
});
afterEach(() => registry.faults.clear());
afterAll(async () => {
  await registry.stop();
  home[Symbol.dispose]();
});

const env = (user = "alice"): Record<string, string> => as(registry, user);

for (const columns of [40, 80, 200]) {
  test(`a table fits a terminal of ${columns} columns`, async () => {
    const run = onTerminal(home, ["list", "--no-pager"], { columns, env: env("bob") });
    expect(await run.ended).toBe(0);
    const screen = await run.screen();
    // One line each: nothing was broken by the terminal.
    expect(screen).toHaveLength(6);
    for (const line of screen) expect(widthOf(line)).toBeLessThanOrEqual(columns);
    expect(screen[0]).toMatch(/^name +version/);
    expect(screen.some((line) => line.includes("● active"))).toBe(true);
    expect(screen.some((line) => line.includes("○ inactive"))).toBe(true);
    expect(screen.some((line) => line.includes("ago"))).toBe(columns >= 80);
  });
}

test("a terminal that was never told its size has 80 columns", async () => {
  const run = programOnTerminal("bash", ["-c", `stty cols 0 rows 0; "${process.execPath}" "${binPath}" list`], home, {
    columns: 80,
    env: { ...env("bob"), PAGER: "cat" },
  });
  expect(await run.ended).toBe(0);
  const screen = await run.screen();
  expect(screen[0]).toMatch(/^name +version/);
  expect(Math.max(...screen.map(widthOf))).toBeGreaterThan(60);
});

test("numbers stand on the right and long text is cut with an ellipsis", async () => {
  const run = onTerminal(home, ["list", "--columns", "name,minCpu,description", "--no-pager"], {
    columns: 60,
    env: env("bob"),
  });
  await run.ended;
  const screen = await run.screen();
  expect(screen.find((line) => line.startsWith("frame-splitter"))).toMatch(/^frame-splitter {7}8 {2}Cuts a film .*…$/);
  expect(screen.find((line) => line.startsWith("word-count"))).toMatch(/^word-count {9}0\.5 {2}/);
});

/** Whether a list on a terminal has colours. */
const coloured = async (vars: Record<string, string>, ...args: ReadonlyArray<string>): Promise<boolean> => {
  const run = onTerminal(home, ["list", "--no-pager", ...args], { env: { ...env(), ...vars } });
  await run.ended;
  return run.raw().includes("\u001b[3");
};

/** A list off a terminal. */
const piped = async (vars: Record<string, string>): Promise<string> =>
  (await bne(home, ["list"], { env: { ...env(), ...vars } })).stdout;

test("on a terminal there is colour, off it there is none, and the habits are kept", async () => {
  expect(await coloured({})).toBe(true);
  expect(await coloured({ NO_COLOR: "1" })).toBe(false);
  expect(await coloured({ CLICOLOR: "0" })).toBe(false);
  expect(await coloured({ TERM: "dumb" })).toBe(false);
  expect(await coloured({}, "--color", "never")).toBe(false);
  expect(await coloured({ NO_COLOR: "1" }, "--color", "always")).toBe(true);
  expect(await piped({})).not.toContain("\u001b");
  expect(await piped({ FORCE_COLOR: "1" })).toContain("\u001b[1m");
  expect(await piped({ FORCE_COLOR: "1" })).toContain("\u001b[32mactive\u001b[39m");
  expect(await piped({})).toMatch(/2025-06-10T14:05:21\.250Z/);
});

test("off a terminal nothing is cut, whatever COLUMNS says", async () => {
  const { stdout } = await bne(home, ["list"], { env: { ...env("bob"), COLUMNS: "20" } });
  expect(stdout).toContain("Cuts a film into scenes and hands each to a task with a GPU.");
});

for (const form of ["table", "wide", "json", "yaml", "ndjson", "csv", "name"]) {
  test(`hostile text does not reach a terminal raw as ${form}`, async () => {
    for (const line of [["list", "--all"], ["get", "hostile"], ["get", "hostile", "zipper", "wide"].slice(0, 2)]) {
      const run = onTerminal(home, [...line, "--output", form, "--no-pager", "--color", "never"], {
        columns: 200,
        env: env("bob"),
      });
      expect(await run.ended).toBe(0);
      // What is left are line ends, as the terminal's driver writes them.
      expect(run.raw().replaceAll("\r\n", "")).not.toMatch(
        // oxlint-disable-next-line no-control-regex, no-misleading-character-class
        /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]|\udb40/,
      );
    }
  });
}

test("hostile names, tags and versions of a hostile server do not reach a terminal raw in any form", async () => {
  const engine = {
    name: hostile,
    version: hostile,
    type: hostile,
    status: hostile,
    id: hostile,
    updatedAt: "2025-01-01T00:00:00Z",
  };
  const text = JSON.stringify({ engines: [engine], pagination: { total: 1 } });
  registry.faults.set([{ fault: { body: { text }, contentType: "application/json" } }]);
  const shown: Array<string> = [];
  for (const args of [
    ...["table", "wide", "json", "yaml", "ndjson", "csv", "name"].map((form) => ["list", "--output", form]),
    ["list", "--jq", ".engines[].name"],
    ["list", "--columns", "status,name"],
    ["watch", "--timeout", "10ms"],
    ["versions", "x"],
    ["doctor"],
  ]) {
    const run = onTerminal(home, [...args, "--no-pager", "--color", "never"], { columns: 300, env: env() });
    const code = await run.ended;
    shown.push(...(code === 0 ? [run.raw()] : []));
    const raw = ["\r\n", "\u001b[?25l", "\u001b[?25h", "\r\u001b[K"].reduce(
      (left, own) => left.replaceAll(own, ""),
      run.raw(),
    );
    // oxlint-disable-next-line no-control-regex
    expect(raw).not.toMatch(/[\u0000-\u001f\u007f-\u009f\p{Cf}]/u);
  }
  expect(shown.filter((raw) => raw.includes(String.raw`\u001b[31mred`)).length).toBeGreaterThanOrEqual(8);
});

test("hostile text is shown by its escapes, and JSON stays JSON of the same meaning", async () => {
  const table = onTerminal(home, ["list", "--columns", "name,type", "--color", "never", "--no-pager"], {
    columns: 200,
    env: env("bob"),
  });
  await table.ended;
  expect(table.raw()).toContain(String.raw`\u001b[31mred\u001b[0m`);
  const json = onTerminal(home, ["get", "hostile", "-o", "ndjson"], { columns: 20_000, env: env("bob") });
  await json.ended;
  expect((JSON.parse(json.raw()) as { description: string }).description).toBe(hostile);
  const yaml = await bne(home, ["get", "hostile", "-o", "yaml", "--jq", "."].slice(0, 4), { env: env("bob") });
  expect(yaml.stdout).toContain(String.raw`\e[31mred`);
});

test("hostile text off a terminal: a table has one line per engine, data forms carry it as it is", async () => {
  const table = await bne(home, ["list", "--all"], { env: env("bob") });
  expect(table.stdout.trimEnd().split("\n")).toHaveLength(6);
  expect(table.stdout).not.toContain("\u001b");
  const ndjson = await bne(home, ["get", "hostile", "-o", "ndjson"], { env: env("bob") });
  expect((JSON.parse(ndjson.stdout) as { description: string }).description).toBe(hostile);
});

test("a hostile server message reaches stderr by its escapes only", async () => {
  registry.faults.set([{ fault: { status: 400, message: hostile } }]);
  const run = onTerminal(home, ["list", "--color", "never"], { columns: 300, env: env() });
  expect(await run.ended).toBe(2);
  for (const sequence of ["\u001b[31m", "\u202e", "\u009b"]) expect(run.raw()).not.toContain(sequence);
  expect(run.raw()).toContain(String.raw`\u001b[31mred`);
});

test("a text of 1 MB neither floods a table nor is lost in data", async () => {
  const large = "x".repeat(1_000_000);
  await registry.publish("alice", { name: "large", version: "1.0", description: large });
  for (const line of [["list"], ["get", "large"]]) {
    const run = onTerminal(home, [...line, "--no-pager"], { columns: 80, env: env() });
    expect(await run.ended).toBe(0);
    expect(run.raw().length).toBeLessThan(10_000);
  }
  expect((await bne(home, ["get", "large", "--jq", ".description | length"], { env: env() })).stdout).toBe("1000000\n");
  const table = await bne(home, ["list"], { env: env() });
  // It stands in the last column, and no other row is filled up for it.
  expect(table.stdout.length).toBeLessThan(1_010_000);
});

test("progress shows on a terminal when something takes long, and is gone afterwards", async () => {
  registry.faults.set([{ fault: { latencyMs: 900 } }]);
  const run = onTerminal(home, ["list", "--no-pager"], { env: env() });
  await run.until(/asking for engines/);
  expect(await run.ended).toBe(0);
  expect((await run.screen()).join("\n")).not.toContain("asking for engines");
  registry.faults.set([{ fault: { latencyMs: 900 } }]);
  const piped = await bne(home, ["list"], { env: env() });
  expect(piped.stderr).toBe("");
});

test("retries are told on a terminal as they happen, in lines of their own", async () => {
  registry.faults.set([{ times: 2, fault: { status: 503 } }]);
  const run = onTerminal(home, ["list", "--no-pager"], { env: env() });
  expect(await run.ended).toBe(0);
  expect((await run.screen()).filter((line) => /^retrying in .*: 503 from/.test(line))).toHaveLength(2);
});

test("a pager is used on a terminal when the text is longer than the screen, and only then", async () => {
  const pager = "sed s/name/PAGED/";
  const long = onTerminal(home, ["list"], { rows: 4, env: { ...env(), PAGER: pager } });
  expect(await long.ended).toBe(0);
  expect((await long.screen())[0]).toMatch(/^PAGED/);
  for (const args of [
    ["list", "--no-pager"],
    ["list", "--limit", "1"],
  ]) {
    const short = onTerminal(home, args, { rows: 8, env: { ...env(), PAGER: pager } });
    await short.ended;
    expect(short.raw()).not.toContain("PAGED");
  }
  const own = onTerminal(home, ["list"], { rows: 4, env: { ...env(), PAGER: pager, BYTENITE_PAGER: "cat" } });
  await own.ended;
  expect(own.raw()).not.toContain("PAGED");
  expect((await bne(home, ["list"], { env: { ...env(), PAGER: pager } })).stdout).not.toContain("PAGED");
});

test("protobuf is refused on a terminal", async () => {
  const run = onTerminal(home, ["get", "zipper", "-o", "protobuf"], { env: env() });
  expect(await run.ended).toBe(2);
  expect(run.raw()).toContain("not for a terminal");
});

test("a secret is asked for without showing it", async () => {
  const run = onTerminal(home, ["auth", "login", "--no-keychain"], { env: { BYTENITE_BASE_URL: registry.url } });
  await run.until(/Access token \(not shown\): /);
  run.type("typed-secretX\u007f\r");
  expect(await run.ended).toBe(0);
  expect(run.raw()).not.toContain("typed-secret");
  const { stdout } = await bne(home, ["auth", "token"], { env: { BYTENITE_BASE_URL: registry.url } });
  expect(stdout).toBe("typed-secret\n");
  const shown = onTerminal(home, ["auth", "token"], { env: { BYTENITE_BASE_URL: registry.url } });
  expect(await shown.ended).toBe(2);
  expect(shown.raw()).not.toContain("typed-secret");
  await bne(home, ["auth", "logout"]);
});

test("watch keeps a table up to date in its place", async () => {
  await registry.publish("bob", { name: "lamp", version: "1.0", status: "inactive" });
  const run = onTerminal(home, ["watch", "lamp", "--interval", "30ms"], { env: env("bob") });
  await run.until(/○ inactive/);
  registry.change("bob", "lamp", "activate");
  await run.until(/● active/);
  expect(run.cursorIsHidden()).toBe(true);
  run.type("\u0003");
  expect(await run.ended).toBe(130);
  expect(run.cursorIsHidden()).toBe(false);
  const screen = await run.screen();
  expect(screen.filter((line) => line.startsWith("lamp"))).toHaveLength(1);
  expect(screen.join("\n")).not.toContain("inactive");
});
