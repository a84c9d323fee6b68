import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { create, createFileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { WireType } from "@bufbuild/protobuf/wire";
import { EngineListResponseSchema, EngineMessageSchema } from "@bytenite-engines/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { foreignServer } from "../../test/verify/ForeignServer.ts";
import { origin } from "../../test/verify/Reading.ts";
import { page } from "../../test/verify/Samples.ts";
import { FieldNumberInference } from "./FieldNumberInference.ts";
import { ProfileError, type Profile } from "./Profile.ts";
import { emitProto, emittedLintConfig, emittedPackage } from "./ProtoText.ts";

const server = foreignServer({
  "bytenite.engine.Engine": { name: 7, description: 2, hash: 300 },
  "bytenite.developer.EngineListResponse": { engines: 4, pagination: 9 },
});

/** The compiler and linter of the contract. */
const protoPackage = join(import.meta.dirname, "../../../../proto/package.json");
const buf = join(dirname(createRequire(protoPackage).resolve("@bufbuild/buf/package.json")), "bin/buf");

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "emitted-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const emitted = (from = server): string => {
  const inference = new FieldNumberInference();
  inference.add(EngineListResponseSchema, from.protobuf(EngineListResponseSchema, page), page);
  return emitProto(inference.profile(origin, 0));
};

const run = (...parameters: ReadonlyArray<string>) =>
  execFileSync(process.execPath, [buf, ...parameters], { cwd: directory });

test("the emitted file passes the linter, at the path of its package and, with its configuration, at any", () => {
  const text = emitted();
  const path = emittedPackage.replaceAll(".", "/");
  mkdirSync(join(directory, path), { recursive: true });
  writeFileSync(join(directory, path, "engines.proto"), text);
  run("lint", ".");
  rmSync(join(directory, "bytenite"), { recursive: true });
  writeFileSync(join(directory, "engines.proto"), text);
  expect(() => run("lint", "engines.proto")).toThrow("lint");
  writeFileSync(join(directory, "buf.yaml"), emittedLintConfig);
  run("lint", "engines.proto");
});

test("a stock compiler reads the server's bytes by the emitted file", () => {
  writeFileSync(join(directory, "engines.proto"), emitted());
  run("build", "engines.proto", "--as-file-descriptor-set", "-o", "set.binpb");
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(join(directory, "set.binpb")));
  const theirs = createFileRegistry(set).getMessage(`${emittedPackage}.EngineListResponse`);
  if (theirs === undefined) throw new Error("not emitted");
  const read = toJson(theirs, fromBinary(theirs, server.protobuf(EngineListResponseSchema, page)));
  expect(read).toEqual(toJson(EngineListResponseSchema, page));
});

test("a field whose number is not known is named in a comment, never given a number", () => {
  const text = emitted();
  expect(text).toContain("// Not known: has_next (bool), never seen populated.");
  expect(text).not.toMatch(/bool has_next/);
  expect(text).toContain("  // `hash` in JSON, seen 2 times. The contract has number 8.\n  string hash = 300;");
});

test("a number that compilers refuse is named in a comment, and the file compiles", () => {
  const text = emitted(
    foreignServer({
      "bytenite.engine.Engine": { name: 19_000, platform_config: 19_999, hash: 20_000, link: 18_999 },
    }),
  );
  writeFileSync(join(directory, "engines.proto"), text);
  run("build", "engines.proto", "-o", "set.binpb");
  expect(text).toContain("// Cannot be declared: name (string), whose number 19000 is reserved by protobuf.\n");
  expect(text).toContain("// Cannot be declared: platform_config (PlatformConfig), whose number 19999 is");
  expect(text).toContain("  string hash = 20000;");
  expect(text).toContain("  string link = 18999;");
});

test("every message is in the file, with what is known of it and what is not", () => {
  const message = "bytenite.developer.EngineMessage";
  const hidden = { no: 77, wireType: WireType.Varint, data: new Uint8Array([1]) };
  const from = foreignServer({ [message]: { engine_id: 7 } }, { [message]: [hidden] });
  const inference = new FieldNumberInference();
  const all = { engineData: new Uint8Array([1]), engineLink: "x", engineStatus: "x" };
  for (const engineId of ["a", "b"]) {
    const sent = create(EngineMessageSchema, { engineId, engineTag: "t", ...all });
    inference.add(EngineMessageSchema, from.protobuf(EngineMessageSchema, sent), sent);
  }
  const [head, ...messages] = emitProto(inference.profile(origin, 0)).split(/^\/\/ (?=bytenite)/m);
  expect(head).toBe(
    `// The field numbers of ${origin} as they were found by comparing its protobuf with its\n` +
      "// JSON, on 1970-01-01T00:00:00.000Z. They are not published and may change.\n" +
      'syntax = "proto3";\n\npackage bytenite.calibrated.v1;\n\n',
  );
  expect(messages.slice(3)).toEqual([
    `bytenite.common.DeviceRequirements, of which nothing is known.
// Not known: min_cpu (float), never seen populated.
// Not known: min_memory (float), never seen populated.
// Not known: gpu (string), never seen populated.
message DeviceRequirements {}

`,
    `bytenite.common.PaginatedResponse, of which nothing is known.
// Not known: total (uint32), never seen populated.
// Not known: offset (uint32), never seen populated.
// Not known: has_previous (bool), never seen populated.
// Not known: has_next (bool), never seen populated.
message PaginatedResponse {}

`,
    `bytenite.developer.EngineMessage, compared with its JSON 2 times.
// Not known: engine_link (string), one of 4, 5.
// Not known: engine_status (string), one of 4, 5.
// Numbers of fields that the contract does not have: 77.
message EngineMessage {
  // \`engineId\` in JSON, seen 2 times. The contract has number 1.
  string engine_id = 7;
  // \`engineTag\` in JSON, seen 2 times.
  string engine_tag = 2;
  // \`engineData\` in JSON, seen 2 times.
  bytes engine_data = 3;
}
`,
  ]);
});

test("an invalid profile gives no file", () => {
  expect(() => emitProto({ version: 2 } as unknown as Profile)).toThrow(ProfileError);
});
