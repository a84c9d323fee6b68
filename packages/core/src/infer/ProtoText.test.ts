import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createFileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema } from "@bytenite-engines/proto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { foreignServer } from "../../test/verify/ForeignServer.ts";
import { origin } from "../../test/verify/Reading.ts";
import { page } from "../../test/verify/Samples.ts";
import { FieldNumberInference } from "./FieldNumberInference.ts";
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
