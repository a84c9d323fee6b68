// Help at several widths, aliases, topics, doctor's summary, non-UTF-8 terminals.
import { expect, test } from "vitest";
import { commands, groups } from "../src/parse/CommandTable.ts";
import { topicNames } from "../src/parse/Topics.ts";
import { as, bne } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";
import { trial } from "./Trial.ts";

const { registry, home, alice } = await trial();

/** The lines of a help that are prose: examples and usage are there to be copied. */
const prose = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.filter((line) => !/^ {2}(# |bne |printf )|^Usage: /.test(line));

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/);
const longestIn = (line: string): number => Math.max(...words(line).map((word) => word.length));

for (const [columns, width] of [
  [40, 60],
  [60, 60],
  [80, 80],
  [140, 120],
] as const) {
  test(`help fits a terminal of ${columns} columns with lines of at most ${width}, never broken inside a word`, async () => {
    const narrow = [["--help"], ["auth", "--help"], ["list", "--help"], ["help", "credentials"], ["raw", "--help"]];
    for (const args of narrow) {
      const run = onTerminal(home, args, { columns, rows: 200 });
      expect(await run.ended).toBe(0);
      const tooLong = prose(run.raw().split("\r\n")).filter((line) => line.length > width && longestIn(line) < 30);
      expect(tooLong).toEqual([]);
      const wide = await bne(home, args);
      expect(words(run.raw())).toEqual(words(wide.stdout));
    }
  });
}

test("each group shows its usage, each command the flags of every command", async () => {
  for (const group of groups) {
    expect((await bne(home, [group, "--help"])).stdout).toContain(`Usage: bne ${group} COMMAND`);
  }
  const { stdout } = await bne(home, ["status", "--help"]);
  for (const flag of ["--help", "--version", "--verbose", "--trace", "--quiet", "--color WHEN", "--profile NAME"]) {
    expect(stdout).toContain(flag);
  }
});

test("every topic has help, and a mistyped one is suggested", async () => {
  for (const topic of topicNames) {
    const { code, stdout } = await bne(home, ["help", topic]);
    expect({ topic, code, lines: stdout.split("\n").length > 3 }).toEqual({ topic, code: 0, lines: true });
  }
  expect((await bne(home, ["help", "exit-code"])).stderr).toContain("exit-codes");
  expect((await bne(home, ["help", "environment"])).stdout).toContain("BYTENITE_AUTH_URL");
});

test("what people type means what they mean", async () => {
  for (const [alias, full] of [
    [
      ["ls", "-o", "name"],
      ["list", "-o", "name"],
    ],
    [
      ["config", "list"],
      ["config", "get"],
    ],
    [["version"], ["--version"]],
    [["logout"], ["auth", "logout"]],
    [
      ["login", "--help"],
      ["auth", "login", "--help"],
    ],
    [
      ["help", "ls"],
      ["help", "list"],
    ],
  ] as const) {
    const [one, other] = [await alice(...alias), await alice(...full)];
    expect({ alias, ...one }).toEqual({ alias, ...other });
    expect(one.code).toBe(0);
  }
  const login = await bne(home, ["login"], { input: "local-alice", env: { BYTENITE_BASE_URL: registry.url } });
  expect(login.code).toBe(0);
  await bne(home, ["logout"]);
});

test("doctor is ten lines and a verdict, with --verbose a line for each field", async () => {
  const { code, stdout } = await alice("doctor");
  const lines = stdout.trimEnd().split("\n");
  expect(code).toBe(0);
  expect(lines.length).toBeLessThanOrEqual(12);
  expect(lines.at(-1)).toBe("All is well.");
  expect((await alice("doctor", "--verbose")).stdout.split("\n").length).toBeGreaterThan(30);
  expect(
    (JSON.parse((await alice("doctor", "-o", "json")).stdout) as { checks: Array<unknown> }).checks.length,
  ).toBeGreaterThan(30);
  const wrong = await bne(home, ["doctor"], { env: { ...as(registry, "alice"), BYTENITE_TOKEN: "wrong" } });
  expect(wrong.code).toBe(7);
  expect(wrong.stdout.trimEnd().split("\n").at(-1)).toMatch(/^Not well: credentials, answer/);
});

test("a terminal without UTF-8 gets ASCII", async () => {
  for (const locale of [{ LANG: "C" }, { LANG: "de_DE.ISO-8859-1" }, { LC_ALL: "POSIX", LANG: "en_US.UTF-8" }]) {
    for (const args of [["list", "--no-pager"], ["list", "--verbose", "--no-pager"], ["get", "nothing"], ["doctor"]]) {
      const run = onTerminal(home, args, { env: { ...as(registry, "alice"), ...locale } });
      await run.ended;
      // oxlint-disable-next-line no-control-regex
      expect(run.raw()).toMatch(/^[\u0000-\u007f]*$/);
    }
  }
  const utf8 = onTerminal(home, ["list", "--no-pager"], { env: { ...as(registry, "alice"), LANG: "C.UTF-8" } });
  await utf8.ended;
  expect(utf8.raw()).toContain("●");
});

test("--jq sees no made-up environment", async () => {
  expect((await alice("list", "--jq", "[env, $ENV]")).stdout).toBe("[{},{}]\n");
  expect((await alice("list", "--jq", "def n: .engines | length; n # how many")).stdout).toBe("5\n");
});

test("bne commands describes every command from the table", async () => {
  const document = JSON.parse((await alice("commands", "-o", "json")).stdout) as {
    schemaVersion: number;
    commands: Array<{ name: string; flags: Array<{ name: string }> }>;
    exitCodes: Array<{ code: number }>;
  };
  expect(document.schemaVersion).toBe(1);
  expect(document.commands.map(({ name }) => name)).toEqual(commands.map(({ path }) => `bne ${path.join(" ")}`));
  expect(document.commands[0]?.flags.map(({ name }) => name)).toContain("--page-size");
  expect(document.exitCodes.map(({ code }) => code)).toContain(7);
});
