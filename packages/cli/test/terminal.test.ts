import { join } from "node:path";
import { expect, test } from "vitest";
import { widthOf } from "../src/terminal/Width.ts";
import { as, binPath, bne } from "./Bne.ts";
import { onTerminal, programOnTerminal } from "./Pty.ts";
import { trial } from "./Trial.ts";

const { registry, home } = await trial();
await registry.publish("bob", { name: "wide", version: "1.0", description: "説明 日本語の 👩‍👩‍👧 テキスト ".repeat(4) });

const env = (user = "alice"): Record<string, string> => as(registry, user);

for (const columns of [40, 80, 200]) {
  test(`a table fits a terminal of ${columns} columns`, async () => {
    const run = onTerminal(home, ["list", "--no-pager"], { columns, env: env("bob") });
    expect(await run.ended).toBe(0);
    const screen = await run.screen();
    // One line each: nothing was broken by the terminal. Behind them stands what was left out.
    expect(screen.findIndex((line) => line.startsWith("Left out"))).toBe(5);
    for (const line of screen) expect(widthOf(line)).toBeLessThanOrEqual(columns);
    expect(screen[0]).toMatch(/^name +version/);
    expect(screen.some((line) => line.includes("● active"))).toBe(true);
    expect(screen.some((line) => line.includes("○ inactive"))).toBe(true);
    expect(screen.some((line) => line.includes("ago"))).toBe(columns >= 80);
  });
}

for (const columns of [60, 80, 140]) {
  test(`get breaks long values between words on a terminal of ${columns} columns`, async () => {
    const description = "far too long for any terminal ".repeat(9).trim();
    await registry.publish("bob", { name: "wordy", version: "1.0", description });
    const run = onTerminal(home, ["get", "wordy@1.0", "--no-pager", "--color", "never"], { env: env("bob"), columns });
    expect(await run.ended).toBe(0);
    expect(
      run
        .raw()
        .split("\r\n")
        .filter((line) => line.length > columns),
    ).toEqual([]);
    expect(run.raw().replaceAll(/\s+/g, " ")).toContain(`description ${description} `);
  });
}

test("a terminal without a size has 80 columns", async () => {
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

const database = join(home.path, "engines.db");

test("doctor, wait and tables of the registry fit terminals of 60, 80 and 140 columns", async () => {
  const owner = ["--user", "a-user-with-a-long-name", "--database", database];
  const made = await bne(home, ["registry", "token", "create", "--label", "l".repeat(90), "--create-user", ...owner]);
  expect(made.code).toBe(0);
  for (const columns of [60, 80, 140]) {
    for (const [line, said] of [
      ["doctor", "credentials"],
      ["wait wide@1.0 --for exists", "wide"],
      [`registry token list --database ${database}`, "a-user"],
      [`registry users --database ${database}`, "a-user"],
      [`registry audit --database ${database}`, "create"],
    ] as const) {
      const args = [...line.split(" "), "--color", "never"];
      const run = onTerminal(home, args, { columns, rows: 100, env: { ...env("bob"), PAGER: "cat" } });
      expect({ columns, line, code: await run.ended }).toEqual({ columns, line, code: 0 });
      // Progress is written over itself; notes are broken by the terminal.
      const lines = run.raw().split(/[\r\n]+/);
      const wide = lines.filter((text) => !text.startsWith("Left out") && widthOf(text) > columns);
      expect({ columns, line, wide }).toEqual({ columns, line, wide: [] });
      expect(run.raw()).toContain(said);
    }
  }
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

test("retries are printed on a terminal as they happen, in separate lines", async () => {
  registry.faults.set([{ times: 2, fault: { status: 503 } }]);
  const run = onTerminal(home, ["list", "--no-pager"], { env: env() });
  expect(await run.ended).toBe(0);
  expect((await run.screen()).filter((line) => /answered 503; retrying in /.test(line))).toHaveLength(2);
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

test("a pager is used by every command whose text can be long", async () => {
  for (const args of [
    ["get", "zipper"],
    ["raw", "/engines"],
    ["diff", "zipper", "fanout-urls"],
    ["versions", "zipper"],
  ]) {
    const run = onTerminal(home, args, { rows: 2, env: { ...env(), PAGER: "sed s/^/PAGED/" } });
    expect({ args, code: await run.ended }).toEqual({ args, code: args[0] === "diff" ? 7 : 0 });
    expect(run.raw()).toContain("PAGED");
  }
});

test("what a pager that fails has not shown is shown without it", async () => {
  for (const [pager, how] of [
    ["false", "ended with 1"],
    ["'less", "ended with 2"],
    ["kill $$", "was ended by SIGTERM"],
  ] as const) {
    const run = onTerminal(home, ["list", "--output", "yaml"], {
      rows: 2,
      columns: 200,
      env: { ...env(), PAGER: pager },
    });
    expect(await run.ended).toBe(0);
    const text = (await run.screen()).join("\n");
    expect(text).toContain(`warning: the pager ${pager} ${how}; without it:`);
    expect(text).toContain("- id: ");
    expect(text.match(/^pagination:/gm)).toHaveLength(1);
  }
});

test("a pager that is left early ends the run quietly, and nothing is shown twice", async () => {
  const run = onTerminal(home, ["list", "--output", "yaml"], { rows: 4, env: { ...env(), PAGER: "head -n 2" } });
  expect(await run.ended).toBe(0);
  expect(await run.screen()).toHaveLength(2);
});

test("JSON on a terminal is coloured, and the same text without its colours", async () => {
  for (const args of [
    ["get", "zipper", "-o", "json"],
    ["list", "--limit", "2", "-o", "json"],
    ["get", "zipper", "-o", "ndjson"],
  ]) {
    const run = onTerminal(home, [...args, "--no-pager"], { columns: 1_200, rows: 200, env: env() });
    expect(await run.ended).toBe(0);
    expect(run.raw()).toContain('\u001b[1m"name"\u001b[22m');
    expect(run.raw()).toContain('\u001b[32m"');
    const { stdout } = await bne(home, args, { env: { ...env(), FORCE_COLOR: "1" } });
    expect(stdout).not.toContain("\u001b");
    const shown = (await run.screen()).filter((line) => !line.includes('"type":"note"')).join("\n");
    expect(`${shown}\n`).toBe(stdout);
  }
});

test("protobuf is refused on a terminal", async () => {
  const run = onTerminal(home, ["get", "zipper", "-o", "protobuf"], { env: env() });
  expect(await run.ended).toBe(2);
  expect(run.raw()).toContain("not for a terminal");
});

test("a secret is asked for without showing it", async () => {
  const run = onTerminal(home, ["auth", "login", "--no-keychain", "--no-verify"], {
    env: { BYTENITE_BASE_URL: registry.url },
  });
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

/** The screen of a watch after its first look. */
const watched = async (tag: string, columns: number): Promise<string> => {
  const run = onTerminal(home, ["watch", tag, "--interval", "30ms"], { columns, env: env("bob") });
  await run.until(new RegExp(`\n${tag} `));
  run.type("\u0003");
  expect(await run.ended).toBe(130);
  return (await run.screen()).join("\n");
};

test("watch says which columns and how many values do not fit, and nothing where all fit", async () => {
  await registry.publish("bob", {
    name: "long",
    version: "1.0",
    description: "far too long for any terminal ".repeat(9),
  });
  await registry.publish("bob", { name: "narrow", version: "1.0", description: "short" });
  const advice = "a wider terminal or --output ndjson shows them.";
  for (const [columns, left] of [
    [60, "columns minCpu, minMemory; the end of 1 value"],
    [80, "the end of 1 value"],
    [140, "the end of 1 value"],
  ] as const) {
    const shown = (await watched("long", columns)).replaceAll("\n", " ");
    expect(shown).toContain(` Left out: ${left}; ${advice}`);
  }
  expect(await watched("narrow", 300)).not.toContain("Left out");
});
