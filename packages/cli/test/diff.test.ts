import { expect, test } from "vitest";
import { as, bne } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";
import { trial } from "./Trial.ts";

const { registry, home } = await trial();
const long = "The same beginning, much longer than any terminal is wide. ".repeat(6);
await registry.publish(
  "bob",
  { name: "pair", version: "1.0", type: "assembler", description: `${long}left`, entrypoint: "main.py" },
  { name: "pair", version: "1.1", type: "assembler", description: `${long}right`, entrypoint: "main.py" },
  { name: "lines", version: "1.0", description: "one\ntwo\nthree\nfour\nfive" },
  { name: "lines", version: "1.1", description: "one\ntwo\n3\nfour\nfive" },
  { name: "lines", version: "1.2", description: "\u001b[31mred\u001b[0m" },
);
const env = as(registry, "bob");

test("diff is unified, and nothing of it is cut", async () => {
  const { code, stdout } = await bne(home, ["diff", "pair@1.0", "pair@1.1"], { env });
  expect(code).toBe(7);
  const lines = stdout.trimEnd().split("\n");
  expect(lines.slice(0, 2)).toEqual(["--- pair@1.0", "+++ pair@1.1"]);
  expect(lines[2]).toMatch(/^@@ -\d+,\d+ \+\d+,\d+ @@$/);
  expect(lines).toContain(`-description: ${long}left`);
  expect(lines).toContain(`+description: ${long}right`);
  expect(lines).toContain(" entrypoint: main.py");
  expect(lines.filter((line) => /^[-+] ?version/.test(line))).toEqual([]);
  const everything = await bne(home, ["diff", "pair@1.0", "pair@1.1", "--everything"], { env });
  expect(everything.stdout).toContain("-version: 1.0\n+version: 1.1\n");
});

test("texts of several lines are compared line by line, and nothing in them acts upon a terminal", async () => {
  const { stdout } = await bne(home, ["diff", "lines@1.0", "lines@1.1"], { env });
  expect(stdout).toContain("   two\n-  three\n+  3\n   four\n");
  const hostile = await bne(home, ["diff", "lines@1.0", "lines@1.2"], { env });
  expect(hostile.stdout).not.toContain("\u001b");
  expect(hostile.stdout).toContain(String.raw`+description: \u001b[31mred\u001b[0m`);
});

for (const columns of [60, 80, 140]) {
  test(`diff is coloured and whole on a terminal of ${columns} columns`, async () => {
    const run = onTerminal(home, ["diff", "pair@1.0", "pair@1.1", "--no-pager"], { columns, env });
    expect(await run.ended).toBe(7);
    expect(run.raw()).toContain(`\u001b[31m-description: ${long}left\u001b[39m`);
    expect(run.raw()).toContain(`\u001b[32m+description: ${long}right\u001b[39m`);
    expect(run.raw()).not.toContain("…");
  });
}

test("equal engines give no output and 0; for programs there is JSON", async () => {
  expect(await bne(home, ["diff", "pair", "pair@1.1"], { env })).toEqual({ code: 0, stdout: "", stderr: "" });
  const { code, stdout } = await bne(home, ["diff", "pair@1.0", "pair@1.1", "-o", "json"], { env });
  expect(code).toBe(7);
  expect(JSON.parse(stdout)).toEqual({
    differences: [{ field: "description", left: `${long}left`, right: `${long}right` }],
    equal: false,
    left: "pair@1.0",
    right: "pair@1.1",
  });
});
