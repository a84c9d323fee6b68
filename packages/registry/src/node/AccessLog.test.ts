import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Answer, RequestHead } from "../api/Answer.ts";
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
