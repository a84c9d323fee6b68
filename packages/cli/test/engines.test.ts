import { fromBinary } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { as, binPath, bne, makeHome, startBne, type Home, type Result } from "./Bne.ts";

let registry: TestRegistry;
let home: Home;

beforeAll(async () => {
  registry = await startRegistry();
  home = makeHome();
});
afterAll(async () => {
  await registry.stop();
  home[Symbol.dispose]();
});

const alice = (...args: ReadonlyArray<string>): Promise<Result> => bne(home, args, { env: as(registry, "alice") });
const bob = (...args: ReadonlyArray<string>): Promise<Result> => bne(home, args, { env: as(registry, "bob") });

/** Bytes on stdout, which text would spoil. */
const bytesOf = async (...args: ReadonlyArray<string>): Promise<Uint8Array> => {
  const child = startBne(home, args, { env: as(registry, "bob") });
  const chunks: Array<Uint8Array> = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
};

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
  const list = fromBinary(EngineListResponseSchema, await bytesOf("list", "--output", "protobuf"));
  expect(list.engines.map(({ name }) => name)).toEqual(["frame-splitter", "word-count", "word-count"]);
  expect(list.pagination?.total).toBe(3);
  expect(fromBinary(EngineSchema, await bytesOf("get", "word-count", "-o", "protobuf")).version).toBe("0.10");
  expect(fromBinary(EngineMessageSchema, await bytesOf("status", "word-count", "-o", "protobuf")).engineStatus).toBe(
    "inactive",
  );
});

test("get resolves a tag as the API does, and several tags make an array", async () => {
  expect((await bob("get", "word-count", "--jq", ".version")).stdout).toBe("0.10\n");
  const { stdout } = await bob("get", "word-count@0.9", "frame-splitter", "--output", "json");
  expect((JSON.parse(stdout) as Array<{ name: string }>).map(({ name }) => name)).toEqual([
    "word-count",
    "frame-splitter",
  ]);
  expect((await bob("get", "word-count", "--output", "yaml")).stdout).toMatch(
    /^id: .*\nname: word-count\nversion: "0\.10"\n/,
  );
  expect((await bob("get", "frame-splitter")).stdout).toMatch(/^name {26}frame-splitter$/m);
});

test("status prints the status", async () => {
  expect((await alice("status", "zipper")).stdout).toMatch(/engineStatus {2}active/);
  expect((await alice("status", "zipper", "-o", "ndjson", "--jq", ".engineTag")).stdout).toBe("zipper@0.1\n");
});

test("status prints the status of several engines, or of none when one is missing", async () => {
  expect((await alice("status", "zipper", "fanout-urls", "-o", "name")).stdout).toBe("zipper@0.1\nfanout-urls@0.5\n");
  expect(JSON.parse((await alice("status", "zipper", "fanout-urls", "-o", "json")).stdout)).toHaveLength(2);
  expect(await alice("status", "zipper", "gone", "-o", "name")).toMatchObject({ code: 3, stdout: "" });
});

test("--format decides what travels, and --trace tells it to programs", async () => {
  for (const [format, mediaType] of [
    ["json", "application/json"],
    ["protobuf", "application/x-protobuf"],
    ["auto", "application/x-protobuf"],
  ] as const) {
    const { stderr } = await alice("list", "--format", format, "--trace");
    const events = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toEqual([
      expect.objectContaining({ type: "exchange", method: "GET", status: 200, mediaType, attempt: 1 }),
    ]);
  }
});

test("--verbose tells each exchange in a line, and --quiet leaves only data", async () => {
  const { stderr } = await alice("get", "zipper", "--verbose");
  expect(stderr).toMatch(
    /^GET http:\S+\/engines\/zipper · 200 · application\/x-protobuf · \d+ bytes · .* · attempt 1 · no cache\n$/,
  );
  const quiet = await alice("get", "zipper", "--quiet");
  expect(quiet.stderr).toBe("");
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
  expect((await alice("list", "--all", "--limit", "2", "-o", "json", "--jq", ".engines | length")).stdout).toBe("5\n");
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

test("a jq expression that gives nothing prints nothing, one that fails is told", async () => {
  expect(await bob("list", "--jq", '.engines[] | select(.name == "none")')).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
  expect(await bob("list", "-o", "ndjson", "--jq", "empty")).toEqual({ code: 0, stdout: "", stderr: "" });
  const { code, stderr } = await bob("list", "--jq", ".engines | foo");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^bne: --jq: .*foo\/0 is not defined/);
});

test("versions sorts by numbers, the latest first", async () => {
  expect((await bob("versions", "word-count", "-o", "name")).stdout).toBe("word-count@0.10\nword-count@0.9\n");
  const { code, stderr } = await bob("versions", "word-cuont");
  expect(code).toBe(3);
  expect(stderr).toMatch(/no engine named word-cuont\nDid you mean word-count\?/);
});

test("wait ends with 0 once the status is there, also when it comes later", async () => {
  await registry.publish("alice", { name: "slow", version: "1.0", status: "inactive" });
  const child = startBne(home, ["wait", "slow", "--interval", "50ms", "--timeout", "30s", "--trace"], {
    env: as(registry, "alice"),
  });
  const done = (async () => {
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    const code = await new Promise((resolve) => child.on("close", resolve));
    return { code, stdout };
  })();
  await new Promise((resolve) => child.stderr.once("data", resolve));
  registry.change("alice", "slow", "activate");
  const { code, stdout } = await done;
  expect(code).toBe(0);
  expect(stdout).toMatch(/engineStatus {2}active/);
});

test("wait ends with 7 when the time is over, and with 3 when there is no such engine", async () => {
  const over = await alice("wait", "zipper", "--for", "inactive", "--timeout", "150ms", "--interval", "50ms");
  expect(over).toMatchObject({ code: 7, stdout: "" });
  expect(over.stderr).toMatch(/zipper is not inactive but active after 150 ms/);
  expect((await alice("wait", "nothing", "--timeout", "5s")).code).toBe(3);
});

test("watch tells what happens as NDJSON", async () => {
  await registry.publish("bob", { name: "blinker", version: "1.0", status: "inactive" });
  const child = startBne(home, ["watch", "blinker", "--interval", "30ms"], { env: as(registry, "bob") });
  const events: Array<{ event: string; tag: string; fields: Array<string>; engine: { status: string } }> = [];
  let rest = "";
  for await (const chunk of child.stdout.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) events.push(JSON.parse(line) as (typeof events)[number]);
    if (events.length === 1) registry.change("bob", "blinker", "activate");
    if (events.length === 2) registry.change("bob", "blinker", "delete");
    if (events.length === 3) child.kill("SIGINT");
  }
  expect(events.map(({ event }) => event)).toEqual(["added", "changed", "removed"]);
  expect(events[1]?.fields).toEqual(["status", "updatedAt"]);
  expect(events[1]?.engine.status).toBe("active");
});

test("diff tells the fields that differ, with 7, and 0 when there are none", async () => {
  const { code, stdout } = await bob("diff", "word-count@0.9", "word-count@0.10", "--output", "json");
  expect(code).toBe(7);
  const { differences, equal } = JSON.parse(stdout) as { differences: Array<{ field: string }>; equal: boolean };
  expect(equal).toBe(false);
  expect(differences.map(({ field }) => field)).toContain("platformConfig.container");
  expect(differences.map(({ field }) => field)).not.toContain("version");
  const everything = await bob("diff", "word-count@0.9", "word-count@0.10", "--everything", "-o", "name");
  expect(everything.stdout.split("\n")).toContain("version");
  expect((await bob("diff", "word-count", "word-count@0.10")).code).toBe(0);
});

test("export writes a backup to stdout, or a file as a whole", async () => {
  const { stdout } = await bob("export", "--all");
  const names = stdout
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { name: string }).name);
  expect(names).toContain("frame-splitter");
  const written = await bob("export", "word-count", "--file", "backup.ndjson");
  expect(written).toMatchObject({ code: 0, stdout: "" });
  expect(readFileSync(join(home.path, "backup.ndjson"), "utf8")).toMatch(/^\{"id":.*"version":"0\.10".*\}\n$/);
  expect((await bob("export")).code).toBe(2);
});

test("raw passes on the body, tells the status by its exit code and stays below the base URL", async () => {
  const ok = await alice("raw", "GET", "/engines/zipper/status", "--include");
  expect(JSON.parse(ok.stdout)).toMatchObject({ engineStatus: "active" });
  expect(ok.stderr).toMatch(/^200 .*\n(.*\n)*content-type: application\/json\n/);
  const missing = await alice("raw", "GET", "/engines/nothing");
  expect(missing.code).toBe(3);
  expect(JSON.parse(missing.stdout)).toMatchObject({ code: 5 });
  expect((await alice("raw", "GET", "/../secret")).code).toBe(2);
  expect((await alice("raw", "POST", "/engines")).code).toBe(2);
});

test("the container registry's credential is redacted in every form unless it is asked for", async () => {
  const secret = "s3cr3t-of-bob";
  await registry.publish("bob", {
    name: "private",
    version: "1.0",
    platformConfig: { container: "x/y", privateImage: true, username: "bob", token: secret },
  });
  for (const form of ["table", "wide", "json", "yaml", "ndjson", "csv", "protobuf"]) {
    for (const line of [
      ["get", "private"],
      ["list", "--all"],
    ]) {
      expect((await bob(...line, "--output", form, "--verbose")).stdout).not.toContain(secret);
    }
  }
  for (const line of [
    ["export", "--all"],
    ["raw", "GET", "/engines/private"],
    ["watch", "private", "--timeout", "10ms"],
    ["diff", "private", "word-count"],
    ["list", "--columns", "token"],
  ]) {
    const { stdout, stderr } = await bob(...line);
    expect(stdout + stderr).not.toContain(secret);
    expect(stdout + stderr).toMatch(/REDACTED|redacted/);
  }
  expect((await bob("get", "private", "--jq", ".platformConfig.token", "--show-secrets")).stdout).toBe(`${secret}\n`);
  expect((await bob("export", "private", "--show-secrets")).stdout).toContain(secret);
});

test("the bin is runnable by itself", () => {
  expect(spawnSync(binPath, ["--version"], { encoding: "utf8" }).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
