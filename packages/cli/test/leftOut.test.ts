// What is not shown is said: rows, columns, cells.
import { json, startServer } from "@bytenite-engines/test-kit/ports";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { as, bne } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";
import { trial } from "./Trial.ts";

const { registry, home } = await trial();
await registry.publish(
  "bob",
  ...Array.from({ length: 30 }, (_, index) => ({
    name: `many-${String(index).padStart(2, "0")}`,
    version: "1.0",
    type: index % 3 === 0 ? "assembler" : "partitioner",
    status: "active",
    description: "A long description that does not fit into sixty columns. ".repeat(2),
  })),
);
// JSON only: protobuf is compared with the JSON now and then, which takes a request more.
const env = { ...as(registry, "bob"), BYTENITE_WIRE_FORMAT: "json" };
const list = (...args: ReadonlyArray<string>) => bne(home, ["list", ...args], { env });

test("rows that were left out are counted, piped or not", async () => {
  for (const form of ["table", "name", "csv", "yaml"]) {
    expect((await list("-o", form)).stderr).toBe("20 of 33 engines; --all shows the rest.\n");
  }
  expect((await list("--limit", "5")).stderr).toBe("5 of 33 engines; --all shows the rest.\n");
  expect((await list("--all")).stderr).toBe("");
  expect((await list("--all", "--limit", "5")).stderr).toBe("5 of 33 engines; without --limit all are shown.\n");
  expect((await list("--quiet")).stderr).toBe("");
});

test("for programs it is one JSON object on stderr", async () => {
  for (const form of ["json", "ndjson"]) {
    expect(JSON.parse((await list("-o", form)).stderr)).toEqual({
      type: "note",
      message: "20 of 33 engines; --all shows the rest.",
      shown: 20,
      total: 33,
    });
  }
  expect(JSON.parse((await list("-o", "table", "--trace")).stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({
    type: "note",
    shown: 20,
  });
});

for (const columns of [60, 80, 140]) {
  test(`columns and cells that do not fit into ${columns} columns are reported`, async () => {
    const run = onTerminal(home, ["list", "--no-pager"], { columns, env });
    expect(await run.ended).toBe(0);
    const text = (await run.screen()).join(" ").replaceAll(/\s+/g, " ");
    expect(text).toContain("20 of 33 engines; --all shows the rest.");
    expect(text).toMatch(
      columns < 80
        ? /Left out to fit the terminal: columns .*description.*; --output wide shows them\./
        : /Left out to fit the terminal: (columns .*; )?the end of \d+ values; --output wide shows them\./,
    );
  });
}

test("tables of a registry name the columns that do not fit, show that a key is revoked, and cut no times", async () => {
  const own = ["--database", "credentials.db"];
  await bne(home, ["registry", "key", "create", "--user", "a-long-name", "--label", "ci", "--create-user", ...own]);
  const id = (await bne(home, ["registry", "key", "list", "-o", "name", ...own])).stdout.trim();
  await bne(home, ["registry", "key", "revoke", id, ...own]);
  for (const [columns, left] of [
    [60, "columns kind, scope, label, createdAt, lastUsedAt"],
    [80, "columns kind, label, createdAt"],
  ] as const) {
    const run = onTerminal(home, ["registry", "key", "list", "--no-pager", ...own], { columns });
    expect(await run.ended).toBe(0);
    const text = (await run.screen()).join(" ").replaceAll(/\s+/g, " ");
    expect(text).toMatch(/a-long-na\S* .*revoked/);
    expect(text).toContain(`Left out to fit the terminal: ${left}; the end of `);
  }
  const run = onTerminal(home, ["registry", "users", "--no-pager", ...own], { columns: 60 });
  await run.ended;
  expect((await run.screen()).join(" ")).toContain("columns id; --output wide");
  const some = await bne(home, ["registry", "audit", "--limit", "2", "-o", "name", ...own]);
  expect(some.stdout.trim().split("\n")).toHaveLength(2);
  expect(some.stderr).toBe("2 changes, and there are more; without --limit all are shown.\n");
  expect((await bne(home, ["registry", "audit", "--limit", "100", ...own])).stderr).toBe("");
  for (const [words, said] of [
    ["engines", "No engines."],
    ["token list", "No tokens."],
  ] as const) {
    expect((await bne(home, ["registry", ...words.split(" "), ...own])).stderr).toContain(said);
  }
});

test("it is said after the pager was left, not beneath it", async () => {
  const run = onTerminal(home, ["list"], { rows: 10, env: { ...env, PAGER: "sed -e 's/^/paged /'; echo done" } });
  expect(await run.ended).toBe(0);
  expect(run.raw().indexOf("20 of 33 engines")).toBeGreaterThan(run.raw().indexOf("done"));
});

test("a total is of what was asked, filters that are ours are said to be", async () => {
  const all = await list("--type", "assembler", "--name", "many-*", "-o", "json");
  const document = JSON.parse(all.stdout) as { engines: Array<unknown>; pagination: Record<string, unknown> };
  expect(document.engines).toHaveLength(10);
  expect(document.pagination).toMatchObject({ total: 10, hasNext: false });
  const some = await list("--type", "assembler", "--name", "many-*", "-o", "json", "--limit", "4");
  const part = JSON.parse(some.stdout) as { engines: Array<unknown>; pagination: Record<string, unknown> };
  expect(part.engines).toHaveLength(4);
  expect(part.pagination).toEqual({ offset: 0, hasPrevious: false, hasNext: true });
  expect(JSON.parse(some.stderr)).toMatchObject({ shown: 4, message: expect.stringContaining("--limit") as unknown });
  const filtered = "10 of 33 engines match; bne filters them, not the server.";
  expect(JSON.parse(all.stderr)).toEqual({ type: "note", message: filtered, shown: 10 });
  expect((await list("--type", "assembler", "--name", "many-*")).stderr).toBe(`${filtered}\n`);
  const later = await list("--type", "assembler", "--name", "many-*", "-o", "name", "--offset", "8");
  expect(later.stdout.trim().split("\n")).toHaveLength(2);
  const run = onTerminal(home, ["list", "--type", "assembler", "--name", "many-*", "--no-pager"], { env });
  await run.ended;
  expect((await run.screen()).join(" ")).toContain("10 of 33 engines match; bne filters them, not the server.");
});

test("a filter that nothing matches is said, piped too, with what was meant", async () => {
  expect(await list("--type", "asembler")).toEqual({
    code: 0,
    stdout: "",
    stderr:
      '0 of 33 engines match; bne filters them, not the server. No engine has the type "asembler". Did you mean assembler?\n',
  });
  expect((await list("--status", "broken")).stderr).toContain(
    'No engine has the status "broken". There are: active, inactive.',
  );
  expect((await list("--name", "nothing")).stderr).toBe("0 of 33 engines match; bne filters them, not the server.\n");
  expect(JSON.parse((await list("--type", "x", "-o", "json")).stderr)).toMatchObject({ type: "note", shown: 0 });
});

test("a large list is read in large pages, fetched ahead, and a server that wants small ones gets them", async () => {
  registry.requests.length = 0;
  expect((await list("--all", "-o", "name")).stdout.trim().split("\n")).toHaveLength(33);
  expect(registry.requests).toHaveLength(1);
  registry.requests.length = 0;
  expect((await list("--all", "-o", "name", "--page-size", "10")).stdout.trim().split("\n")).toHaveLength(33);
  expect(registry.requests).toHaveLength(4);
  registry.requests.length = 0;
  expect((await list("--limit", "25", "-o", "name", "--page-size", "10")).stdout.trim().split("\n")).toHaveLength(25);
  expect(registry.requests).toHaveLength(3);
  registry.requests.length = 0;
  expect((await bne(home, ["export", "--all"], { env })).stdout.trim().split("\n")).toHaveLength(33);
  expect(registry.requests).toHaveLength(1);
  registry.faults.set([{ times: 1, fault: { status: 400 } }]);
  expect((await list("--all", "-o", "name")).stdout.trim().split("\n")).toHaveLength(33);
  for (const args of [
    ["--limit", "0"],
    ["--page-size", "0"],
  ]) {
    expect((await list(...args)).code).toBe(2);
  }
});

test("what was found is printed, and what was not fails", async () => {
  const some = await bne(home, ["get", "many-00", "nope", "many-01", "-o", "name"], { env });
  expect(some).toMatchObject({ code: 3, stdout: "many-00@1.0\nmany-01@1.0\n" });
  expect(some.stderr).toMatch(/^bne: Not found at .*: nope\n/);
  const status = await bne(home, ["status", "nope", "many-00", "nix", "-o", "json"], { env });
  expect(status.code).toBe(3);
  expect(JSON.parse(status.stdout)).toEqual([expect.objectContaining({ engineTag: "many-00@1.0" })]);
  expect(
    status.stderr
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { error: { reason: string } }).error.reason),
  ).toEqual(["NotFound", "NotFound"]);
  const none = await bne(home, ["get", "many-00", "many-01"], {
    env: { ...env, BYTENITE_BASE_URL: "http://127.0.0.1:9/v1/dev" },
  });
  expect(none.code).toBe(5);
  expect(none.stderr.match(/^bne: /gm)).toHaveLength(1);
});

test("a tag that was meant is looked for with one request, and only for people", async () => {
  registry.requests.length = 0;
  const run = onTerminal(home, ["get", "many-0"], { env });
  expect(await run.ended).toBe(3);
  expect(run.raw()).toContain("Did you mean many-00");
  expect(registry.requests).toHaveLength(2);
  // No version is near this one: the name is what was misspelled.
  const versioned = onTerminal(home, ["get", "many-0@12345.678"], { env });
  expect(await versioned.ended).toBe(3);
  expect(versioned.raw()).toContain("Did you mean many-00");
  for (const args of [
    ["get", "many-0"],
    ["get", "many-0", "-o", "json"],
    ["wait", "many-0"],
  ]) {
    registry.requests.length = 0;
    expect((await bne(home, args, { env })).code).toBe(3);
    expect(registry.requests).toHaveLength(1);
  }
  registry.requests.length = 0;
  const json = onTerminal(home, ["get", "many-0", "-o", "json"], { env });
  expect(await json.ended).toBe(3);
  expect(registry.requests).toHaveLength(1);
});

test("a list that the server ends early never looks complete", async () => {
  const pages = { sent: 0, hasNext: true };
  await using server = await startServer((request, response) => {
    const isFirst = !(Number(new URL(request.url ?? "", "http://x").searchParams.get("pagination.offset")) > 0);
    const engines = Array.from({ length: isFirst ? pages.sent : 0 }, (_, index) => ({
      name: `e${index}`,
      version: "1",
    }));
    json(response, 200, { engines, pagination: { total: 5, hasNext: pages.hasNext } });
  });
  const ask = (...args: ReadonlyArray<string>) =>
    bne(home, args, { env: { BYTENITE_BASE_URL: server.baseUrl, BYTENITE_WIRE_FORMAT: "json" } });
  const backup = join(home.path, "backup.ndjson");
  writeFileSync(backup, "the old one");
  const early = /ended the list early, after (\d) of 5 engines/;

  for (const sent of [2, 0]) {
    pages.sent = sent;
    const read = sent === 0 ? "" : "e0@1\ne1@1\n";
    for (const [args, shown] of [
      [["list", "--all", "-o", "name"], read],
      [["list", "--name", "other*"], ""],
      [["export", "--all", "--file", backup], ""],
    ] as const) {
      const { code, stdout, stderr } = await ask(...args);
      const of = early.exec(stderr)?.[1];
      expect({ args, code, stdout, of }).toEqual({ args, code: 6, stdout: shown, of: String(sent) });
    }
  }
  expect(readFileSync(backup, "utf8")).toBe("the old one");
  expect(readdirSync(home.path).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  expect((await ask("list")).stderr).toBe("0 of 5 engines; the server says that more follow, and sent none.\n");
  expect((await ask("list", "--limit", "3")).code).toBe(6);

  Object.assign(pages, { sent: 2, hasNext: false });
  for (const args of [["list"], ["list", "--all"]]) {
    expect((await ask(...args)).stderr).toBe("2 of 5 engines; the server says that no more follow.\n");
  }
  expect((await ask("list", "--type", "x")).stderr).toMatch(/^0 of 2 engines read of 5 match; /);
  expect((await ask("export", "--all")).stderr).toContain("the server counts 5 engines, but sent 2");
});

test("a list whose pages are all the same is ended at the second", async () => {
  await using server = await startServer((_, response) =>
    json(response, 200, { engines: [{ name: "e", version: "1" }], pagination: { total: 5, hasNext: true } }),
  );
  const env = { BYTENITE_BASE_URL: server.baseUrl, BYTENITE_WIRE_FORMAT: "json" };
  for (const args of [
    ["list", "--all", "-o", "name"],
    ["export", "--all"],
    ["versions", "e"],
  ]) {
    const { code, stderr } = await bne(home, args, { env });
    expect({ args, code }).toEqual({ args, code: 6 });
    expect(stderr).toContain("has no end, after 2 of 5 engines: the same page again, though it says that more follow");
  }
});
