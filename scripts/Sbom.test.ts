import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publishedPackages } from "./Packed.ts";
import { writeSboms, type Sbom } from "./Sbom.ts";

const folder = mkdtempSync(join(tmpdir(), "sboms-"));
const sboms = new Map<string, Sbom>();

beforeAll(async () => {
  for (const path of await writeSboms(folder)) {
    const sbom = JSON.parse(readFileSync(path, "utf8")) as Sbom;
    const { group = "", name } = sbom.metadata.component;
    sboms.set(`${group}/${name}`, sbom);
  }
});

afterAll(() => rmSync(folder, { recursive: true }));

const purlsOf = (name: string): ReadonlyArray<string> =>
  (sboms.get(`@bytenite-engines/${name}`)?.components ?? []).map(({ purl }) => purl.replace(/@[^@/]*$/, ""));

test("there is a CycloneDX document of every published package, and of no other", () => {
  expect([...sboms.keys()].toSorted()).toEqual(
    publishedPackages()
      .map(({ manifest }) => manifest.name)
      .toSorted(),
  );
  for (const { bomFormat, specVersion } of sboms.values()) {
    expect([bomFormat, specVersion]).toEqual(["CycloneDX", "1.7"]);
  }
});

test("what is installed with a package is listed, tools and what applications have a copy of are not", () => {
  expect(purlsOf("core").toSorted()).toEqual([
    "pkg:npm/%40bytenite-engines/http-cache",
    "pkg:npm/%40bytenite-engines/proto",
    "pkg:npm/%40noble/hashes",
    "pkg:npm/structured-headers",
  ]);
  expect(purlsOf("registry")).toEqual(expect.arrayContaining(["pkg:npm/%40bufbuild/protobuf", "pkg:npm/effect"]));
});

test("what is bundled in bne is listed, too", () => {
  expect(purlsOf("cli")).toEqual(expect.arrayContaining(["pkg:npm/jq-web", "pkg:npm/effect", "pkg:npm/yaml"]));
});

test("nothing is listed twice", () => {
  for (const { components = [] } of sboms.values()) {
    expect(new Set(components.map(({ purl }) => purl)).size).toBe(components.length);
  }
});
