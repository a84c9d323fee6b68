import { startRegistry, type TestRegistry, type TestRegistryOptions } from "@bytenite-engines/registry/testing";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { as, bne, makeHome, startBne, type Home } from "./Bne.ts";

interface Finding {
  readonly check: string;
  readonly subject: string;
  readonly state: string;
  readonly detail: string;
}

/** Another numbering of engines, as a foreign server could have. */
const otherNumbers = {
  "bytenite.engine.Engine": {
    id: 7,
    name: 9,
    version: 1,
    owner: 12,
    type: 2,
    status: 3,
    description: 8,
    hash: 6,
    link: 5,
    entrypoint: 4,
    revision: 21,
    created_at: 30,
    updated_at: 31,
    deleted_at: 32,
    platform: 40,
    platform_config: 41,
    device_requirements: 42,
    is_public: 43,
    user_name: 44,
  },
};

const examined = async (
  home: Home,
  registry: TestRegistry,
  ...args: ReadonlyArray<string>
): Promise<{ readonly code: number | null; readonly well: boolean; readonly checks: ReadonlyArray<Finding> }> => {
  const { code, stdout } = await bne(home, ["doctor", "--output", "json", ...args], { env: as(registry, "bob") });
  return { code, ...(JSON.parse(stdout) as { well: boolean; checks: ReadonlyArray<Finding> }) };
};

const withRegistry = async (
  options: TestRegistryOptions,
  action: (registry: TestRegistry, home: Home) => Promise<void>,
): Promise<void> => {
  await using registry = await startRegistry(options);
  using home = makeHome();
  await action(registry, home);
};

const of = (checks: ReadonlyArray<Finding>, check: string, subject?: string): ReadonlyArray<Finding> =>
  checks.filter((finding) => finding.check === check && (subject === undefined || finding.subject === subject));

test("all is well with a server that speaks our schema: 0", () =>
  withRegistry({}, async (registry, home) => {
    const { code, well, checks } = await examined(home, registry);
    expect({ code, well, states: [...new Set(checks.map(({ state }) => state))] }).toEqual({
      code: 0,
      well: true,
      states: ["ok"],
    });
    expect(of(checks, "field")).toHaveLength(38);
    expect(of(checks, "field", "Engine.revision")).toEqual([
      { check: "field", subject: "Engine.revision", state: "ok", detail: "confirmed: 11" },
    ]);
    expect(of(checks, "media type", "application/x-protobuf")[0]?.detail).toBe("200 application/x-protobuf");
    const { stdout } = await bne(home, ["doctor"], { env: as(registry, "bob") });
    expect(stdout).toMatch(/^check +subject +state +detail\n/);
  }));

test("another numbering is told field by field, from ours to theirs", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    const { code, well, checks } = await examined(home, registry);
    expect({ code, well }).toEqual({ code: 7, well: false });
    expect(of(checks, "field", "Engine.id")[0]).toMatchObject({ state: "different", detail: "1 -> 7" });
    expect(of(checks, "field", "PlatformConfig.container")[0]).toMatchObject({ state: "ok" });
    expect(of(checks, "field", "Engine.deletedAt")[0]).toMatchObject({
      state: "unknown",
      detail: "never seen with a value",
    });
  }));

const bufPath = join(import.meta.dirname, "..", "..", "..", "proto", "node_modules", ".bin", "buf");
const lint = (cwd: string, ...parameters: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(bufPath, ["lint", ...parameters], { cwd, encoding: "utf8" });
  return { status, said: stdout + stderr };
};
const passed = { status: 0, said: "" };

test("the .proto passes `buf lint` where it was written, by a buf.yaml beside it", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    const { stderr } = await bne(home, ["doctor", "--emit-proto", "theirs.proto"], { env: as(registry, "bob") });
    expect(stderr).toContain(`The numbering found is in ${join(home.path, "theirs.proto")}.`);
    expect(stderr).toContain(`${join(home.path, "buf.yaml")} beside it lets \`buf lint\` accept theirs.proto there.`);
    expect(readFileSync(join(home.path, "theirs.proto"), "utf8")).toContain("string id = 7;");
    expect(statSync(join(home.path, "theirs.proto")).mode & 0o777).toBe(0o644);
    expect(lint(home.path)).toEqual(passed);
    expect(lint(home.path, "theirs.proto")).toEqual(passed);
    expect(lint("/", join(home.path, "theirs.proto"))).toEqual(passed);
  }));

test("a buf.yaml that is there is left alone, and the path of the package passes by any", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    const config = join(home.path, "buf.yaml");
    writeFileSync(config, "version: v2\n");
    const file = join("bytenite", "calibrated", "v1", "theirs.proto");
    const beside = await bne(home, ["doctor", "--emit-proto", "theirs.proto"], { env: as(registry, "bob") });
    expect(beside.stderr).toContain(`For \`buf lint\`, by ${config}, write it to ${file} below the root of a module.`);
    rmSync(join(home.path, "theirs.proto"));
    await bne(home, ["doctor", "--emit-proto", file], { env: as(registry, "bob") });
    expect(lint(home.path)).toEqual(passed);
    expect(readFileSync(config, "utf8")).toBe("version: v2\n");
    expect(existsSync(join(home.path, "bytenite", "calibrated", "v1", "buf.yaml"))).toBe(false);
  }));

// A protoc without the well-known types cannot read the file.
const probe = ["--decode=google.protobuf.Timestamp", "google/protobuf/timestamp.proto"];
const withoutProtoc = spawnSync("protoc", probe, { input: "" }).status !== 0;

test.skipIf(withoutProtoc)("stock protoc reads list, engine and status of that server by the .proto", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    const env = as(registry, "bob");
    await bne(home, ["doctor", "--emit-proto", "theirs.proto"], { env });
    const decoded = async (message: string, path: string): Promise<string> => {
      const child = startBne(home, ["raw", "GET", path, "--accept", "application/x-protobuf"], { env });
      const chunks: Array<Uint8Array> = [];
      for await (const chunk of child.stdout) chunks.push(chunk as Uint8Array);
      const protoc = ["--decode", `bytenite.calibrated.v1.${message}`, "theirs.proto"];
      return spawnSync("protoc", protoc, { cwd: home.path, input: Buffer.concat(chunks), encoding: "utf8" }).stdout;
    };
    const engine = await decoded("Engine", "/engines/frame-splitter");
    expect(engine).toMatch(/^name: "frame-splitter"$/m);
    expect(engine).toMatch(/^revision: 12$/m);
    expect(engine).toMatch(/^device_requirements \{$/m);
    // A field that protoc does not know would stand there by its number.
    expect(engine).not.toMatch(/^ *\d/m);
    const list = await decoded("EngineListResponse", "/engines");
    expect(list.match(/^ {2}name: ".*"$/gm)).toEqual([
      '  name: "frame-splitter"',
      '  name: "word-count"',
      '  name: "word-count"',
    ]);
    expect(list).toMatch(/^pagination \{\n {2}total: 3$/m);
    expect(await decoded("EngineMessage", "/engines/word-count/status")).toMatch(/^engine_status: "inactive"$/m);
  }),
);

test("without protobuf, or without an answer, no .proto is written, and that is said", () =>
  withRegistry({ jsonOnly: true }, async (registry, home) => {
    const asked = ["doctor", "--emit-proto", "theirs.proto"];
    const { stderr } = await bne(home, asked, { env: as(registry, "bob") });
    expect(stderr).toContain("was not written: the server answers JSON only");
    const refused = await bne(home, asked, { env: { ...as(registry, "bob"), BYTENITE_TOKEN: "wrong" } });
    expect(refused.stderr).toContain("was not written: the schema could not be looked at");
    expect(existsSync(join(home.path, "theirs.proto"))).toBe(false);
  }));

test("a server that does not answer one of the media types is not well", () =>
  withRegistry({}, async (registry, home) => {
    registry.faults.set([{ on: { endpoint: "list" }, skip: 3, times: 1, fault: { cutBodyAfterBytes: 3 } }]);
    const { code, checks } = await examined(home, registry);
    expect(code).toBe(7);
    expect(of(checks, "media type").map(({ subject, state }) => [subject, state])).toEqual([
      ["application/json", "ok"],
      ["application/x-protobuf", "failed"],
      ["application/octet-stream", "ok"],
      ["*/*", "ok"],
      ["application/x-protobuf, application/json;q=0.5", "ok"],
    ]);
  }));

test("the kind of the credentials and the time that is left are told, never their value", () =>
  withRegistry({}, async (registry, home) => {
    const exp = Math.floor(Date.now() / 1000) + 2430;
    const jwt = `e30.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.c2ln`;
    const { stdout, stderr } = await bne(home, ["doctor", "--verbose"], {
      env: { ...as(registry, "bob"), BYTENITE_TOKEN: jwt },
    });
    expect(stdout).toMatch(/credentials +token +ok +from BYTENITE_TOKEN; it ends in 40 min/);
    expect(stdout + stderr).not.toContain(jwt);
  }));

test("what was learned is kept in a readable file and used by the next command, in one request", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    await examined(home, registry);
    const directory = join(home.path, "cache", "bytenite-engines", "field-numbers");
    const [file = ""] = readdirSync(directory);
    expect(file).toMatch(/^http_127\.0\.0\.1_\d+\.json$/);
    expect(JSON.parse(readFileSync(join(directory, file), "utf8"))).toMatchObject({ origin: registry.origin });
    registry.requests.length = 0;
    const { stdout } = await bne(home, ["list", "-o", "name"], { env: as(registry, "bob") });
    expect(stdout).toBe("frame-splitter@1.2\nword-count@0.9\nword-count@0.10\n");
    expect(registry.requests.length).toBeLessThanOrEqual(2);
    await bne(home, ["cache", "clear"]);
    expect(existsSync(directory)).toBe(false);
  }));

test("list and get are right against another numbering from the first call on, and learn from it", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    const answer = await fetch(`${registry.url}/engines`, { headers: { authorization: "local-bob" } });
    const expected: unknown = await answer.json();
    for (let round = 0; round < 3; round++) {
      const { stdout } = await bne(home, ["list", "-o", "json"], { env: as(registry, "bob") });
      expect(JSON.parse(stdout)).toEqual(expected);
    }
  }));

test("a digest that lies is caught", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: true }, async (registry, home) => {
    const { schemaDigests } = await import("@bytenite-engines/core/wire");
    registry.faults.set([
      { on: { endpoint: "get" }, fault: { schemaDigest: schemaDigests["bytenite.engine.Engine"] ?? "" } },
      {
        on: { endpoint: "list" },
        fault: { schemaDigest: schemaDigests["bytenite.developer.EngineListResponse"] ?? "" },
      },
    ]);
    const { code, checks } = await examined(home, registry);
    expect(code).toBe(7);
    expect(of(checks, "field", "Engine.id")[0]).toMatchObject({
      state: "failed",
      detail: "1 -> 7, although the server sends our digest",
    });
  }));

test("a server that answers JSON only is well", () =>
  withRegistry({ jsonOnly: true }, async (registry, home) => {
    const { code, checks } = await examined(home, registry);
    expect(code).toBe(0);
    expect(of(checks, "schema")[0]?.detail).toMatch(/JSON only/);
  }));

test("a wrong token is told, never its value", () =>
  withRegistry({}, async (registry, home) => {
    const { code, stdout, stderr } = await bne(home, ["doctor"], {
      env: { ...as(registry, "bob"), BYTENITE_TOKEN: "wrong-secret" },
    });
    expect(code).toBe(7);
    expect(stdout).toMatch(/answer +failed +401: the token is not accepted/);
    expect(stdout).toMatch(/schema +skipped/);
    expect(stdout + stderr).not.toContain("wrong-secret");
  }));

test("a name that does not resolve, and a server that is not there, are told with the way out: 7", async () => {
  using home = makeHome();
  const nowhere = await bne(home, ["doctor"], {
    env: { BYTENITE_BASE_URL: "https://nowhere.invalid/v1/dev", BYTENITE_TOKEN: "x" },
  });
  expect(nowhere.code).toBe(7);
  expect(nowhere.stdout).toMatch(
    /name +nowhere\.invalid +failed +does not resolve \(\w+\); point elsewhere with --base-url/,
  );
  const nobody = await bne(home, ["doctor"], {
    env: { BYTENITE_BASE_URL: "http://127.0.0.1:9/v1/dev", BYTENITE_TOKEN: "x" },
  });
  expect(nobody.code).toBe(7);
  expect(nobody.stdout).toMatch(/answer +failed +none: ECONNREFUSED/);
});

test("a skewed clock, wrong labels, a cache and hints are told", () =>
  withRegistry({}, async (registry, home) => {
    registry.faults.set([
      { fault: { clockSkewMs: 600_000, headers: { "cache-status": "edge; hit", "retry-after": "7" } } },
      { on: { endpoint: "list" }, times: 3, fault: {} },
      { on: { endpoint: "list" }, skip: 3, times: 1, fault: { contentType: "application/json" } },
    ]);
    const { code, checks } = await examined(home, registry);
    expect(code).toBe(7);
    expect(of(checks, "clock")[0]).toMatchObject({
      state: "failed",
      detail: expect.stringMatching(/^10 min ahead of ours$/) as unknown,
    });
    expect(of(checks, "cache")[0]?.detail).toContain("cache-status: edge; hit");
    expect(of(checks, "retry hints")[0]?.detail).toContain("retry-after: 7");
    expect(of(checks, "media type", "application/x-protobuf")[0]).toMatchObject({
      state: "failed",
      detail: expect.stringContaining("but the body is no JSON") as unknown,
    });
  }));

test("an expired token is told before anything else", () =>
  withRegistry({}, async (registry, home) => {
    const jwt = `e30.${Buffer.from(JSON.stringify({ exp: 1_000_000_000 })).toString("base64url")}.c2ln`;
    const { stdout } = await bne(home, ["doctor"], { env: { ...as(registry, "bob"), BYTENITE_TOKEN: jwt } });
    expect(stdout).toMatch(/credentials +token +failed +from BYTENITE_TOKEN; it ends \d+ y ago/);
  }));
