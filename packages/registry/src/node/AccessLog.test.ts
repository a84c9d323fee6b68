import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Answer, RequestHead } from "../api/Answer.ts";
import { descriptorsOf } from "../../test/descriptors.ts";
import { lineOf, openAccessLog } from "./AccessLog.ts";

const head: RequestHead = {
  method: "GET",
  target: "/v1/dev/engines?orderBy=private",
  header: (name) => (name === "authorization" ? "a-token" : null),
  body: async () => new Uint8Array(),
  chunks: async function* () {},
};

const answer = (body: Answer["body"]): Answer => ({
  status: 200,
  headers: {},
  body,
  logFields: { endpoint: "list", user: "carol" },
});

test("the bytes of an answer are counted, not its characters, in either form", () => {
  expect(lineOf(head, answer("ünï"), 1)).toMatchObject({ bytes: 5 });
  expect(lineOf(head, answer(new Uint8Array(7)), 1)).toMatchObject({ bytes: 7 });
});

test("a line holds no token and no query", () => {
  expect(JSON.stringify(lineOf(head, answer(""), 1))).not.toMatch(/a-token|private/);
  for (const token of [
    `bnt_${"0a".repeat(32)}`,
    `bnk_${"0a".repeat(32)}`,
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln",
  ]) {
    for (const target of [`/v1/dev/engines/${token}`, `/${token}/x?y=${token}`, `/${"a".repeat(190)}/${token}`]) {
      const { path } = lineOf({ ...head, target }, answer(""), 1);
      expect(path).toContain(target.startsWith("/a") ? "/[redact" : "/[redacted]");
      expect(path).not.toMatch(/0a|eyJ|c2ln/);
    }
  }
});

test("lines of a file are complete, in their order, and of the asked level", async () => {
  const directory = mkdtempSync(join(tmpdir(), "registry-test-"));
  const path = join(directory, "access.log");
  const linesOf = async (level: "info" | "warn" | "error"): Promise<ReadonlyArray<unknown>> => {
    rmSync(path, { force: true });
    const log = openAccessLog(path, level);
    for (const status of [200, 429, 499, 500, 503]) log.write(head, { ...answer(""), status }, 1.23456);
    log.write(head, "faulted", 2);
    log.refused(431, "id-1", "192.0.2.1");
    await log.close();
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    return lines.map((line) => {
      const { level, status, outcome, ms } = JSON.parse(line) as Readonly<Record<string, unknown>>;
      return [level, status ?? outcome, ms];
    });
  };
  const errors = [
    ["error", 500, 1.235],
    ["error", 503, 1.235],
  ];
  expect(await linesOf("info")).toEqual([
    ["info", 200, 1.235],
    ["warn", 429, 1.235],
    ["info", 499, 1.235],
    ...errors,
    ["info", "faulted", 2],
    ["warn", 431, undefined],
  ]);
  expect(await linesOf("warn")).toEqual([["warn", 429, 1.235], ...errors, ["warn", 431, undefined]]);
  expect(await linesOf("error")).toEqual(errors);
  rmSync(directory, { recursive: true });
});

const tracedLine = (traceparent: string | null) =>
  lineOf({ ...head, method: "M".repeat(21), header: () => traceparent }, "unanswered", 0);

test("a line has the method up to 20 characters, and the trace of a valid traceparent", () => {
  const trace = "0af7651916cd43dd8448eb211c80319c";
  expect(tracedLine(`00-${trace}-b7ad6b7169203331-01`)).toMatchObject({
    method: "M".repeat(20),
    trace,
    outcome: "unanswered",
  });
  for (const other of [null, `00-${trace}-b7ad6b7169203331-01-x`, "x"])
    expect(tracedLine(other)["trace"]).toBeUndefined();
});

test("a log file is for its owner alone", async () => {
  const directory = mkdtempSync(join(tmpdir(), "registry-test-"));
  const path = join(directory, "access.log");
  const log = openAccessLog(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await log.close();
  rmSync(directory, { recursive: true });
});

/** Bytes of a line of `write(0)`. */
const lineBytes = 151;

/** A FIFO with a log that writes to it, and what can be read from it now. */
const logIntoFifo = () => {
  const directory = mkdtempSync(join(tmpdir(), "registry-test-"));
  const path = join(directory, "access.log");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const said = vi.spyOn(console, "error").mockReturnValue();
  const log = openAccessLog(path);
  onTestFinished(async () => {
    said.mockRestore();
    await log.close();
    closeSync(reader);
    rmSync(directory, { recursive: true });
  });
  const text = (): string => {
    const parts: Array<Buffer> = [];
    const part = Buffer.alloc(65_536);
    try {
      for (let length = 1; length > 0;) {
        length = readSync(reader, part);
        parts.push(Buffer.from(part.subarray(0, length)));
      }
    } catch {
      // Nothing more is there.
    }
    return Buffer.concat(parts).toString();
  };
  let count = 0;
  const write = (length = 10_000): void => {
    const user = `${count++} ${"x".repeat(length)}`;
    log.write(head, { ...answer(""), logFields: { endpoint: "list", user } }, 1);
  };
  const messages = (): ReadonlyArray<unknown> => said.mock.calls.map(([message]) => message as unknown);
  return { path, log, text, write, messages };
};

const linesOf = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly user?: string; readonly leftOut?: number; readonly level: string });

const numbersOf = (lines: ReturnType<typeof linesOf>): ReadonlyArray<number> =>
  lines.flatMap(({ user }) => (user === undefined ? [] : [Number.parseInt(user, 10)]));

const again = expect.stringMatching(/^access log: EAGAIN.*; trying again$/) as unknown;

test.runIf(process.platform === "linux")(
  "on a full disk lines wait, up to a mebibyte; later ones are counted",
  async () => {
    const { path, log, write, messages } = logIntoFifo();
    rmSync(path);
    symlinkSync("/dev/full", path);
    log.reopen();
    write();
    const full = expect.stringMatching(/^access log: ENOSPC.*; trying again$/) as unknown;
    await expect.poll(messages).toEqual([full]);
    for (let count = 1; count < 150; count++) write();
    rmSync(path);
    log.reopen();
    await expect.poll(() => readFileSync(path, "utf8")).toMatch(/\n$/);
    const waited = readFileSync(path, "utf8");
    expect(waited.length).toBeGreaterThanOrEqual(1_024 * 1_024);
    expect(waited.lastIndexOf("\n", waited.length - 2)).toBeLessThan(1_024 * 1_024);
    write();
    await log.close();
    const lines = linesOf(readFileSync(path, "utf8"));
    const count = lines.length - 2;
    expect(lines.at(-2)).toMatchObject({ level: "warn", leftOut: 150 - count });
    expect(numbersOf(lines)).toEqual([...Array(count).keys(), 150]);
    expect(messages()).toEqual([full]);
  },
);

test.runIf(process.platform === "linux")("a line that was begun in one file is not ended in another", async () => {
  const { path, log, text, write, messages } = logIntoFifo();
  for (let count = 0; count < 10; count++) write();
  await expect.poll(messages).toEqual([again]);
  const begun = text();
  expect(numbersOf(linesOf(begun.slice(0, begun.lastIndexOf("\n"))))).toEqual([0, 1, 2, 3, 4, 5]);
  rmSync(path);
  log.reopen();
  await expect.poll(() => readFileSync(path, "utf8")).toMatch(/\n$/);
  write();
  await log.close();
  const lines = linesOf(readFileSync(path, "utf8"));
  expect(numbersOf(lines)).toEqual([7, 8, 9, 10]);
  expect(lines.at(-2)).toMatchObject({ level: "warn", leftOut: 1 });
  expect(messages()).toEqual([again]);
});

test.runIf(process.platform === "linux")("what could not be written is tried again after a second", async () => {
  let nowMs = 0;
  const now = vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  onTestFinished(() => now.mockRestore());
  const { text, write, messages } = logIntoFifo();
  for (let count = 0; count < 10; count++) write();
  await expect.poll(messages).toEqual([again]);
  let read = text();
  nowMs = 999;
  write(0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(text()).toBe("");
  nowMs = 1_000;
  write(0);
  await expect.poll(messages).toEqual([again, "access log: written again"]);
  read += text();
  expect(numbersOf(linesOf(read))).toEqual([...Array(12).keys()]);
  nowMs = 1_500;
  write();
  await expect.poll(() => numbersOf(linesOf(read + text()))).toContain(12);
});

test.runIf(process.platform === "linux").for([
  [1_048_575, 1],
  [1_048_576, 0],
] as const)("after %i bytes that wait, %i more line waits", async ([bytes, more]) => {
  const { path, log, write, messages } = logIntoFifo();
  rmSync(path);
  symlinkSync("/dev/full", path);
  log.reopen();
  write(0);
  await expect.poll(messages).toHaveLength(1);
  write(bytes - 2 * lineBytes);
  write(0);
  write(0);
  rmSync(path);
  log.reopen();
  await log.close();
  const lines = linesOf(readFileSync(path, "utf8"));
  expect(numbersOf(lines)).toEqual([...Array(2 + more).keys()]);
  expect(readFileSync(path).length).toBe(bytes + more * lineBytes);
});

test.runIf(process.platform === "linux")("the part of a line that was written does not wait", async () => {
  const { path, log, write, messages } = logIntoFifo();
  // A FIFO takes 64 KiB.
  write(100_000 - lineBytes);
  await expect.poll(messages).toEqual([again]);
  write(1_048_575 - (100_000 - 65_536) - lineBytes);
  write(0);
  write(0);
  rmSync(path);
  log.reopen();
  await log.close();
  expect(numbersOf(linesOf(readFileSync(path, "utf8")))).toEqual([1, 2]);
});

test.runIf(process.platform === "linux")("a line that was not begun in one file is written to another", async () => {
  const { path, log, text, write, messages } = logIntoFifo();
  write(0);
  // The 15 pages that a FIFO has left, and a line that does not fit into the rest of the first one.
  write(15 * 4_096 - lineBytes);
  write(4_000 - lineBytes);
  await expect.poll(messages).toEqual([again]);
  expect(numbersOf(linesOf(text()))).toEqual([0, 1]);
  rmSync(path);
  log.reopen();
  await log.close();
  expect(numbersOf(linesOf(readFileSync(path, "utf8")))).toEqual([2]);
});

test.runIf(process.platform === "linux")(
  "a log keeps no file open but the one that it writes, and that until it is closed",
  async () => {
    const { path, messages } = logIntoFifo();
    const logs = join(path, "..", "logs");
    mkdirSync(logs);
    const file = join(logs, "access.log");
    const other = openAccessLog(file);
    renameSync(file, `${file}.1`);
    other.reopen();
    await expect.poll(() => descriptorsOf(file)).toBe(1);
    rmSync(logs, { recursive: true });
    other.reopen();
    expect(messages()).toEqual([expect.stringMatching(/^access log: ENOENT/)]);
    expect(descriptorsOf(file)).toBe(1);
    await other.close();
    await other.close();
    expect(descriptorsOf(file)).toBe(0);
    mkdirSync(logs);
    other.reopen();
    expect(readdirSync(logs)).toEqual([]);
  },
);

test("a log that cannot be opened is an error", () => {
  const directory = mkdtempSync(join(tmpdir(), "registry-test-"));
  const path = join(directory, "logs", "access.log");
  expect(() => openAccessLog(path)).toThrow("access log: ENOENT");
  rmSync(directory, { recursive: true });
});
