import { mkdtempSync, rmSync, statSync } from "node:fs";
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

test("a log file is for its owner alone", async () => {
  const directory = mkdtempSync(join(tmpdir(), "registry-test-"));
  const path = join(directory, "access.log");
  const log = openAccessLog(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await log.close();
  rmSync(directory, { recursive: true });
});
