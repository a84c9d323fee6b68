import { expect, test } from "vitest";
import { parse } from "yaml";
import { as, bne } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";
import { trial } from "./Trial.ts";

/** Names are checked by the registry; descriptions are free, and so are the other texts. */
const hostile =
  "\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u009b2J\r\nline \u202eesrever\u202c \u200b\u0000 \u{e0041} \u001b]8;;http://evil\u0007x";

const { registry, home } = await trial();
await registry.publish("bob", {
  name: "hostile",
  version: "1.0",
  description: hostile,
  entrypoint: hostile,
  type: hostile,
});
await registry.publish("bob", { name: "wide", version: "1.0", description: "説明 日本語の 👩‍👩‍👧 テキスト ".repeat(4) });

const env = (user = "alice"): Record<string, string> => as(registry, user);

/** What was written but for the progress line, which a slow machine shows. */
const withoutProgress = (raw: string): string =>
  raw
    .split("\r\u001b[K")
    .map((part) => part.replace(/^[\u2800-\u28ff] (?:asking for [a-z]+|page \d+, \d+ of \S+ engines)/u, ""))
    .join("");

for (const form of ["table", "wide", "json", "yaml", "ndjson", "csv", "name"]) {
  test(`hostile text does not reach a terminal raw as ${form}`, async () => {
    for (const line of [["list", "--all"], ["get", "hostile"], ["get", "hostile", "zipper", "wide"].slice(0, 2)]) {
      const run = onTerminal(home, [...line, "--output", form, "--no-pager", "--color", "never"], {
        columns: 200,
        env: env("bob"),
      });
      expect(await run.ended).toBe(0);
      // What is left are line ends, as the terminal's driver writes them.
      expect(withoutProgress(run.raw()).replaceAll("\r\n", "")).not.toMatch(
        // oxlint-disable-next-line no-control-regex, no-misleading-character-class
        /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]|\udb40/,
      );
    }
  });
}

test("hostile text is escaped in YAML that is piped, and reads as it was", async () => {
  const { stdout } = await bne(home, ["get", "hostile", "--output", "yaml"], { env: env("bob") });
  expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
  const { description } = parse(stdout) as { readonly description: string };
  expect(description).toBe(hostile);
});

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
  const json = onTerminal(home, ["get", "hostile", "-o", "ndjson", "--color", "never", "--quiet"], {
    columns: 20_000,
    env: env("bob"),
  });
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
