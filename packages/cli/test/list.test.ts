import { fromBinary } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { as, bytesOf, startBne } from "./Bne.ts";
import { trial } from "./Trial.ts";

const { registry, home, alice, bob } = await trial();

const bytes = (...args: ReadonlyArray<string>): Promise<Uint8Array> =>
  bytesOf(startBne(home, args, { env: as(registry, "bob") }));

test("list prints a table with the API's names, and nothing on stderr", async () => {
  const { code, stdout, stderr } = await alice("list");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [header, first] = stdout.split("\n");
  expect(header?.split(/ {2,}/)).toEqual([
    "name",
    "version",
    "type",
    "status",
    "minCpu",
    "minMemory",
    "updatedAt",
    "description",
  ]);
  expect(first).toMatch(/^fanout-replica {2}0\.1 {6}partitioner {2}active {7}2 {10}4 {2}2025-06-10T14:05:21\.250Z/);
});

test("list prints the API's JSON: the very document that the API answers", async () => {
  const { stdout } = await bob("list", "--output", "json");
  const answer = await fetch(`${registry.url}/engines`, { headers: { authorization: "local-bob" } });
  const expected: unknown = await answer.json();
  expect(JSON.parse(stdout)).toEqual(expected);
  expect(stdout).toBe(`${JSON.stringify(JSON.parse(stdout), null, 2)}\n`);
  expect(Object.keys((JSON.parse(stdout) as { engines: Array<object> }).engines[0] ?? {})).toEqual(
    Object.keys((expected as { engines: Array<object> }).engines[0] ?? {}),
  );
});

test("yaml, ndjson and csv carry the same values as json", async () => {
  const [json, yaml, ndjson, csv] = await Promise.all(
    ["json", "yaml", "ndjson", "csv"].map(async (form) => (await bob("list", "--output", form)).stdout),
  );
  const document = JSON.parse(json ?? "") as { engines: Array<{ name: string; version: string }> };
  expect(parse(yaml ?? "")).toEqual(document);
  expect(
    (ndjson ?? "")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(document.engines);
  const [header, ...rows] = (csv ?? "").trimEnd().split("\n");
  expect(header).toMatch(/^name,version,type,status,isPublic,revision,platform,platformConfig\.container,/);
  expect(rows.map((row) => row.split(",").slice(0, 2))).toEqual(
    document.engines.map(({ name, version }) => [name, version]),
  );
});

test("name prints tags, wide prints more columns, --no-headers leaves out the header", async () => {
  expect((await bob("list", "--output", "name")).stdout).toBe("frame-splitter@1.2\nword-count@0.9\nword-count@0.10\n");
  expect((await bob("list", "--output", "wide")).stdout.split("\n")[0]).toMatch(/container .*hash/);
  expect((await bob("list", "--no-headers")).stdout.split("\n")).toHaveLength(4);
});

test("protobuf prints messages of the API, for a list one whole message", async () => {
  const list = fromBinary(EngineListResponseSchema, await bytes("list", "--output", "protobuf"));
  expect(list.engines.map(({ name }) => name)).toEqual(["frame-splitter", "word-count", "word-count"]);
  expect(list.pagination?.total).toBe(3);
  expect(fromBinary(EngineSchema, await bytes("get", "word-count", "-o", "protobuf")).version).toBe("0.10");
  expect(fromBinary(EngineMessageSchema, await bytes("status", "word-count", "-o", "protobuf")).engineStatus).toBe(
    "inactive",
  );
});

test("filters read every page and count what is shown", async () => {
  const { stdout } = await alice("list", "--type", "assembler", "--output", "json");
  const { engines, pagination } = JSON.parse(stdout) as {
    engines: Array<{ type: string }>;
    pagination: { total: number };
  };
  expect(engines.map(({ type }) => type)).toEqual(["assembler", "assembler"]);
  expect(pagination.total).toBe(2);
  expect((await alice("list", "--name", "fanout-*", "-o", "name")).stdout).toBe(
    "fanout-replica@0.1\nfanout-urls@0.5\n",
  );
  expect((await alice("list", "--name", "fanout-*", "--limit", "1", "-o", "name")).stdout).toBe("fanout-replica@0.1\n");
  expect((await alice("list", "--status", "gone", "-o", "json", "--jq", ".engines")).stdout).toBe("[]\n");
});

test("--limit, --offset and --order-by are the API's, and --all reads the pages behind", async () => {
  registry.requests.length = 0;
  expect((await alice("list", "--limit", "2", "--offset", "1", "--order-by", "createdAt", "-o", "name")).stdout).toBe(
    "zipper@0.1\nfanout-urls@0.5\n",
  );
  expect(registry.requests.map(({ query }) => query.toString())).toEqual([
    expect.stringMatching(/orderBy=createdAt.*pagination\.limit=2.*pagination\.offset=1/),
  ]);
  registry.requests.length = 0;
  expect((await alice("list", "--all", "--page-size", "2", "-o", "json", "--jq", ".engines | length")).stdout).toBe(
    "5\n",
  );
  expect(registry.requests).toHaveLength(3);
});

test("--columns chooses fields by their API names, the last name is enough where it is clear", async () => {
  const { stdout } = await bob("list", "--columns", "name,container,minCpu", "--output", "csv");
  expect(stdout.split("\n").slice(0, 2)).toEqual([
    "name,platformConfig.container,deviceRequirements.minCpu",
    "frame-splitter,images.example/bob/frames:1.2,8",
  ]);
});

test("--jq sees the whole document, with ndjson each record", async () => {
  expect((await bob("list", "--all", "--jq", "[.engines[].name] | unique")).stdout).toBe(
    '["frame-splitter","word-count"]\n',
  );
  expect(
    (await bob("list", "--all", "--output", "ndjson", "--jq", 'select(.status == "inactive") | .version')).stdout,
  ).toBe("0.10\n");
});

test("a jq expression that gives nothing prints nothing, one that fails is reported", async () => {
  expect(await bob("list", "--jq", '.engines[] | select(.name == "none")')).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
  expect(await bob("list", "-o", "ndjson", "--jq", "empty")).toEqual({ code: 0, stdout: "", stderr: "" });
  for (const [expression, problem] of [
    [".engines | foo", "foo/0 is not defined"],
    [".engines |", "the expression is not complete"],
    ["'.engines'", "syntax error, unexpected INVALID_CHARACTER"],
    [".engines.x", 'Cannot index array with string "x"'],
  ] as const) {
    const { code, stderr } = await bob("list", "--jq", expression);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `bne: --jq: ${problem}\nSee https://jqlang.org/manual/ for the language.\n`,
    });
  }
});
