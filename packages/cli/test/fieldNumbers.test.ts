import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { as, bne, bytesOf, startBne } from "./Bne.ts";
import { examined, of, otherNumbers, withRegistry } from "./Doctor.ts";

test("another numbering is shown field by field, from ours to theirs", () =>
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

/** Fields of a kept profile, as far as they are changed here. */
type Fields = Record<string, { number: number; type: string; seen: number }>;

const bufPath = join(import.meta.dirname, "..", "..", "..", "proto", "node_modules", ".bin", "buf");
const lint = (cwd: string, ...parameters: ReadonlyArray<string>) => {
  const { status, stdout, stderr } = spawnSync(bufPath, ["lint", ...parameters], { cwd, encoding: "utf8" });
  return { status, said: stdout + stderr };
};
const passed = { status: 0, said: "" };

test("the .proto passes `buf lint` where it was written, by a buf.yaml next to it", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    const { stderr } = await bne(home, ["doctor", "--emit-proto", "theirs.proto"], { env: as(registry, "bob") });
    expect(stderr).toContain(`The numbering found is in ${join(home.path, "theirs.proto")}.`);
    expect(stderr).toContain(`${join(home.path, "buf.yaml")} next to it lets \`buf lint\` accept theirs.proto there.`);
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
    const other = await bne(home, ["doctor", "--emit-proto", "theirs.proto"], { env: as(registry, "bob") });
    expect(other.stderr).toContain(`For \`buf lint\`, by ${config}, write it to ${file} below the root of a module.`);
    rmSync(join(home.path, "theirs.proto"));
    mkdirSync(join(home.path, dirname(file)), { recursive: true });
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
      const input = await bytesOf(child);
      const protoc = ["--decode", `bytenite.calibrated.v1.${message}`, "theirs.proto"];
      return spawnSync("protoc", protoc, { cwd: home.path, input, encoding: "utf8" }).stdout;
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

test("what was inferred is kept in a readable file, and the next command needs one request instead of two", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    const list = async (): Promise<ReadonlyArray<string | undefined>> => {
      registry.requests.length = 0;
      const { stdout } = await bne(home, ["list", "-o", "name"], { env: as(registry, "bob") });
      expect(stdout).toBe("frame-splitter@1.2\nword-count@0.9\nword-count@0.10\n");
      return registry.requests.map(({ headers }) => headers.accept);
    };
    expect(await list()).toEqual(["application/x-protobuf", "application/json"]);
    await examined(home, registry);
    const directory = join(home.path, "cache", "bytenite-engines", "field-numbers");
    const [file = ""] = readdirSync(directory);
    expect(file).toMatch(/^http_127\.0\.0\.1_\d+\.json$/);
    expect(JSON.parse(readFileSync(join(directory, file), "utf8"))).toMatchObject({ origin: registry.origin });
    expect(await list()).toEqual(["application/x-protobuf"]);
    await bne(home, ["cache", "clear"]);
    expect(existsSync(directory)).toBe(false);
    expect(await list()).toEqual(["application/x-protobuf", "application/json"]);
  }));

test("a look that shows less leaves what was inferred; one that shows it all, or otherwise, takes its place", () =>
  withRegistry({ fieldNumbers: otherNumbers, schemaDigest: false }, async (registry, home) => {
    await examined(home, registry);
    const directory = join(home.path, "cache", "bytenite-engines", "field-numbers");
    const file = join(directory, readdirSync(directory)[0] ?? "");
    const learned = JSON.parse(readFileSync(file, "utf8")) as { messages: Record<string, { fields: Fields }> };
    const old = "2026-01-02T03:04:05Z";
    const change = (changes: Fields) => {
      Object.assign(learned.messages["bytenite.engine.Engine"]?.fields ?? {}, changes);
      writeFileSync(file, JSON.stringify({ ...learned, date: old }));
    };
    const written = () => readFileSync(file, "utf8");
    change({});
    registry.faults.set([{ fault: { jsonOnly: true } }]);
    await examined(home, registry);
    expect(written()).toContain(old);
    registry.faults.set([]);
    await examined(home, registry);
    expect(written()).not.toContain(old);
    // Of a field that no engine of bob has, the look shows nothing; but another number is not what it was.
    change({ deleted_at: { number: 32, type: "message", seen: 1 }, name: { number: 99, type: "string", seen: 1 } });
    await examined(home, registry);
    expect(written()).not.toContain(old);
    writeFileSync(file, "{");
    await examined(home, registry);
    expect(JSON.parse(written())).toMatchObject({ origin: registry.origin });
  }));

test("list is right against another numbering from the first call on", () =>
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
