import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { blocksOf, isShown } from "../src/Guide.ts";
import { runGuide } from "../src/GuideRun.ts";

const folder = mkdtempSync(join(tmpdir(), "guide-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A guide as a file. */
const guide = (...blocks: ReadonlyArray<readonly [info: string, text: string]>): string => {
  const path = join(folder, "guide.md");
  writeFileSync(path, blocks.map(([info, text]) => `\`\`\`${info}\n${text}\n\`\`\`\n`).join("\n"));
  return path;
};

test("a block is run, served, written or compared; others are refused", () => {
  const path = guide(["sh", "true"], ["sh server", "serve"], ["ts a.ts", "export {}"], ["text", "out"]);
  expect(blocksOf(path).map(({ kind }) => kind)).toEqual(["run", "serve", "file", "output"]);
  expect(() => blocksOf(guide(["ts", "nobody runs this"]))).toThrow("guide.md:1");
});

test.for([
  ["a\nb\n", "a\nb", true],
  ["a\nb\n", "a", false],
  ["a 12 ms\n", "a … ms", true],
  ["a\n12 ms\n", "a … ms", false],
  ["x\ny\nz\n", "…\nz", true],
  ["z\n", "…\nz", true],
  ["a.b\n", "a?b", false],
] as const)("%j is shown by %j: %s", ([printed, shown, expected]) => {
  expect(isShown(printed, shown)).toBe(expected);
});

test("a guide fails at the block that fails, with what it printed", async () => {
  const failing = guide(["sh", "x=kept"], ["sh", 'echo "$x" said this\nfalse']);
  await expect(runGuide(failing)).rejects.toThrow(/guide\.md:5: ended with 1:[^]*kept said this/);
  await expect(runGuide(guide(["sh", "echo one"], ["text", "two"]))).rejects.toThrow("guide.md:5: it prints\none");
  await expect(runGuide(guide(["sh server", "echo not yet"]))).rejects.toThrow("guide.md:1: ended with 1");
});

test("a server is there for the next block, and the same port for all", async () => {
  const server = "require('http').createServer((_, r) => r.end('hello')).listen(4010, () => console.log('ready 4010'))";
  const path = guide(["sh server", `node -e "${server}"`], ["sh", "curl -s http://127.0.0.1:4010"], ["text", "hello"]);
  await expect(runGuide(path)).resolves.toBeUndefined();
});
