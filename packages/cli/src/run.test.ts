import { startRegistry } from "@bytenite-engines/registry/testing";
import type { EventEmitter } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import { as, makeHome } from "../test/Bne.ts";
import { interruption, Interrupted, run } from "./run.ts";

const registry = await startRegistry();
const home = makeHome();
const listened: ReadonlyArray<readonly [emitter: EventEmitter, name: string]> = [
  [process, "SIGINT"],
  [process, "SIGTERM"],
  [process.stdout, "error"],
];
const before = listened.map(([emitter, name]) => emitter.listenerCount(name));

/** Takes away what runs listen to. */
const silence = (): void =>
  listened.forEach(([emitter, name], index) => {
    const listeners = emitter.listeners(name) as unknown as ReadonlyArray<() => void>;
    for (const listener of listeners.slice(before[index])) emitter.off(name, listener);
  });
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  silence();
});
afterAll(async () => {
  home[Symbol.dispose]();
  await registry.stop();
});

/** What a write to stdout does: nothing, or it fails. */
type Writing = (done?: (error?: Error) => void) => void;

/** A run in this process: its exit code, and what it writes. */
const said = async (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>> = {},
  writing: Writing = (done) => done?.(),
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> => {
  let [stdout, stderr] = ["", ""];
  const all = {
    LANG: "C.UTF-8",
    LC_ALL: "",
    LC_CTYPE: "",
    BYTENITE_OUTPUT: undefined,
    ...home.env,
    ...as(registry, "bob"),
    ...env,
  };
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
  vi.spyOn(process, "cwd").mockReturnValue(home.path);
  vi.spyOn(process.stdout, "write").mockImplementation((text, done) => {
    stdout += String(text);
    writing(done as unknown as Parameters<Writing>[0]);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => (stderr += String(text)) !== "");
  const code = await run(args);
  silence();
  return { code, stdout, stderr };
};

test("help and version need nothing, a command writes its data and its notes", async () => {
  expect(await said(["--version", "--quiet"])).toEqual({ code: 0, stdout: "0.0.0\n", stderr: "" });
  expect((await said(["list", "--help"])).stdout).toMatch(/^bne list: List engines\n/);
  const note = "1 of 3 engines; --all shows the rest.\n";
  const list = ["list", "-o", "name", "--limit", "1"];
  expect(await said(list)).toEqual({ code: 0, stdout: "frame-splitter@1.2\n", stderr: note });
  expect((await said([...list, "--quiet"])).stderr).toBe("");
  expect((await said([...list, "--verbose"])).stderr).toMatch(/^GET http:\/\/.* · 200 · .*\n1 of 3 engines/);
  expect((await said([...list, "--verbose"], { LANG: "C" })).stderr).toMatch(/^GET http:\/\/.* \| 200 \| /);
  expect((await said([...list, "--trace"])).stderr).toMatch(/^\{"time":".*\n\{"type":"note",.*\}\n$/);
  expect((await said(["list", "-o", "ndjson", "--limit", "1"])).stderr).toMatch(/^\{"type":"note",.*\}\n$/);
});

test("the age of an answer from a cache is said at the end, also where the run fails", async () => {
  registry.faults.set([{ fault: { headers: { age: "30" } } }]);
  const age = "As it was 30 s ago, from a cache; --fresh asks past it.\n";
  expect((await said(["get", "word-count", "-o", "name", "--verbose"])).stderr).toMatch(new RegExp(`\n${age}$`));
  registry.faults.set([{ fault: { status: 404, headers: { age: "30" } } }]);
  expect((await said(["get", "word-count", "--verbose"])).stderr).toContain(`\n${age}bne: Not found`);
  registry.faults.clear();
});

test("what a project's file says in vain is warned of", async () => {
  const path = join(home.path, ".bne.json");
  writeFileSync(path, '{"pager":"x"}');
  const { stderr } = await said(["config", "get", "output"]);
  writeFileSync(path, "{}");
  expect(stderr).toMatch(/^warning: .* may set output and color only; ignored: pager\./);
});

test("failures are JSON where output is, known from the words before they are understood", async () => {
  const json = /^\{"error":\{"message":"bne list has no flag/;
  for (const [args, env] of [
    [["list", "--nothing", "--trace"], {}],
    [["list", "--nothing", "-o", "json"], {}],
    [["list", "--nothing", "-ojson"], {}],
    [["list", "--nothing", "--output=ndjson"], {}],
    [["list", "--nothing"], { BYTENITE_OUTPUT: "json" }],
  ] as const) {
    expect([args, (await said(args, env)).stderr]).toEqual([args, expect.stringMatching(json)]);
  }
  for (const [args, env] of [
    [["list", "--nothing"], {}],
    [["list", "--nothing", "-o", "yaml"], { BYTENITE_OUTPUT: "json" }],
  ] as const) {
    const { code, stderr } = await said(args, env);
    expect(code).toBe(2);
    expect(stderr).toBe('bne: bne list has no flag "--nothing"\nSee `bne list --help`.\n');
  }
  const user = join(home.path, "config", "bytenite-engines");
  mkdirSync(user, { recursive: true, mode: 0o700 });
  writeFileSync(join(user, "config.json"), '{"output":"json"}', { mode: 0o600 });
  expect((await said(["get", "nothing"])).stderr).toMatch(/^\{"error":\{"message":"Not found/);
  writeFileSync(join(user, "config.json"), "{}");
  const several = await said(["get", "nothing", "nowhere"]);
  expect(process.stderr.listenerCount("error")).toBe(1);
  expect([several.code, several.stderr.match(/^bne: Not found/gm)]).toEqual([3, ["bne: Not found", "bne: Not found"]]);
});

const failing: Writing = () => {
  throw new Error("outer", { cause: new Error("inner") });
};
const withCode =
  (code: string): Writing =>
  (done) =>
    done?.(Object.assign(new Error("failed"), { code }));

test("an unexpected failure shows where with --verbose only, with its causes", async () => {
  const args = ["config", "get", "output"];
  const short = "bne: Unexpected: outer\nWith --verbose it shows where.\n";
  expect(await said(args, {}, failing)).toMatchObject({ code: 1, stderr: short });
  for (const flag of ["-v", "--verbose"]) {
    const { stderr } = await said([...args, flag], {}, failing);
    expect(stderr.startsWith(`${short}Error: outer\n`)).toBe(true);
    expect(stderr).toMatch(/\ncaused by Error: inner\n(?: +at .*\n)+$/);
  }
  expect(await said(args, {}, withCode("EPIPE"))).toMatchObject({ code: 0, stderr: "" });
  expect(await said([...args, "-v"], {}, withCode("ENOSPC"))).toMatchObject({
    code: 1,
    stderr: "bne: Cannot write to stdout: the disk is full\n",
  });
});

test("a terminal without UTF-8 gets ASCII, a pipe what there is", async () => {
  const ascii = { LANG: "C" };
  const args = ["config", "set", "profile", "é"];
  expect((await said(args, ascii)).stderr).toContain('There is no profile "\\u00e9"');
  expect((await said(args)).stderr).toContain('There is no profile "é"');
  const status = ["status", "word-count@0.9", "--columns", "engineStatus", "--no-headers", "--no-pager"];
  expect((await said(status, ascii)).stdout).toBe("active\n");
  const { isTTY, columns } = process.stdout;
  Object.assign(process.stdout, { isTTY: true, columns: 80 });
  try {
    expect((await said([...status, "--color", "never"], ascii)).stdout).toBe("* active\n");
    expect((await said([...status, "--color", "never"])).stdout).toBe("● active\n");
  } finally {
    Object.assign(process.stdout, { isTTY, columns });
  }
});

test("a folder that is gone is said", async () => {
  for (const [name, value] of Object.entries(home.env)) vi.stubEnv(name, value);
  vi.spyOn(process, "cwd").mockImplementation(() => {
    throw new Error("ENOENT: uv_cwd");
  });
  let stderr = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => (stderr += String(text)) !== "");
  expect(await run(["config", "path"])).toBe(2);
  expect(stderr).toBe("bne: The working folder is not there any more\nChange to one that exists.\n");
});

test("the first signal ends a run with the code of the shell, the second one at once", () => {
  const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
  for (const [index, name, code] of [
    [0, "SIGINT", 130],
    [1, "SIGTERM", 143],
  ] as const) {
    const signal = interruption();
    const listener = process.listeners(name).at(-1);
    expect(process.listenerCount(name)).toBe((before[index] ?? 0) + index + 1);
    listener?.(name);
    expect(signal.reason).toBeInstanceOf(Interrupted);
    expect(signal.reason).toMatchObject({ exitCode: code });
    expect(exit).toHaveBeenCalledTimes(index);
    listener?.(name);
    expect(exit).toHaveBeenLastCalledWith(code);
  }
});
