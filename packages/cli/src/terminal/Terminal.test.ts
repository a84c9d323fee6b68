import { expect, test } from "vitest";
import { isUtf8, terminalOf } from "./Terminal.ts";

const tty = { isTTY: true, columns: 100, rows: 30 };
const pipe = { isTTY: false, columns: undefined, rows: undefined };

test("the flag wins over NO_COLOR, that over FORCE_COLOR, that over CLICOLOR_FORCE, that over the stream", () => {
  const colour = (facts: typeof tty | typeof pipe, env: Record<string, string>, when?: string): boolean =>
    terminalOf(facts, env, when).colour;
  expect(colour(tty, {})).toBe(true);
  expect(colour(pipe, {})).toBe(false);
  expect(colour(tty, { NO_COLOR: "" })).toBe(true);
  expect(colour(tty, { NO_COLOR: "0", FORCE_COLOR: "1" })).toBe(false);
  expect(colour(pipe, { FORCE_COLOR: "" })).toBe(true);
  expect(colour(tty, { FORCE_COLOR: "0" })).toBe(false);
  expect(colour(pipe, { CLICOLOR_FORCE: "1", CLICOLOR: "0" })).toBe(true);
  expect(colour(pipe, { CLICOLOR_FORCE: "0" })).toBe(false);
  expect(colour(tty, { CLICOLOR: "0" })).toBe(false);
  expect(colour(tty, { TERM: "dumb" })).toBe(false);
  expect(colour(tty, { NO_COLOR: "1" }, "always")).toBe(true);
  expect(colour(tty, { FORCE_COLOR: "1" }, "never")).toBe(false);
});

test("the width is that of the terminal, else of COLUMNS, else 80; off a terminal there is none", () => {
  expect(terminalOf(tty, { COLUMNS: "50" }).width).toBe(100);
  expect(terminalOf({ ...tty, columns: undefined }, { COLUMNS: "50" }).width).toBe(50);
  expect(terminalOf({ ...tty, columns: undefined }, { COLUMNS: "wide" }).width).toBe(80);
  expect(terminalOf({ ...tty, columns: 0, rows: 0 }, {})).toMatchObject({ width: 80, height: 24 });
  expect(terminalOf({ ...tty, columns: 0 }, { COLUMNS: "50" }).width).toBe(50);
  expect(terminalOf(pipe, { COLUMNS: "50" }).width).toBeUndefined();
});

test("a dumb terminal has no live lines", () => {
  expect(terminalOf(tty, { TERM: "dumb" }).live).toBe(false);
  expect(terminalOf(tty, { TERM: "xterm" }).live).toBe(true);
});

test.skipIf(process.platform === "win32")(
  "the first locale that is set names the encoding, and without one it is UTF-8",
  () => {
    for (const [env, is] of [
      [{}, true],
      [{ LANG: "de_DE.UTF-8" }, true],
      [{ LANG: "C" }, false],
      [{ LC_ALL: "", LC_CTYPE: "C", LANG: "de_DE.UTF-8" }, false],
      [{ LC_ALL: "de_DE.utf8", LC_CTYPE: "C", LANG: "C" }, true],
    ] as const) {
      expect([env, isUtf8(env)]).toEqual([env, is]);
    }
  },
);
