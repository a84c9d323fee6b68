import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { binPath, makeHome } from "./Bne.ts";

test("a Node that is too old says so in one sentence", () => {
  // What Node 20.16 has brought is taken away.
  const older = ["--import", "data:text/javascript,delete process.getBuiltinModule"];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...older, binPath, "list"], { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^bne needs Node 20\.16 or later; this is Node \d+\.\d+\.\d+\.\n$/);
});

test("without a build it says how to build, in one sentence", () => {
  const directory = mkdtempSync(join(tmpdir(), "bne-unbuilt-"));
  cpSync(dirname(binPath), join(directory, "bin"), { recursive: true });
  cpSync(join(dirname(binPath), "..", "package.json"), join(directory, "package.json"));
  const { status, stderr } = spawnSync(process.execPath, [join(directory, "bin", "bne.js"), "list"], {
    encoding: "utf8",
  });
  rmSync(directory, { recursive: true });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^bne is not built yet; run `.*` in its repository first\.\n$/);
});

const printed = (...args: ReadonlyArray<string>): string =>
  spawnSync(process.execPath, [binPath, "version", ...args], { encoding: "utf8" }).stdout;

test("the version has every form of output", () => {
  expect(JSON.parse(printed("--output", "json"))).toEqual({
    version: printed().trim(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  });
  expect(printed("--no-pager", "--jq", ".version")).toBe(printed());
});

test("the version is printed by every spelling, and alone before anything is kept", () => {
  using home = makeHome();
  for (const args of [["--version"], ["-V"], ["list", "--version"]]) {
    const { status, stdout } = spawnSync(process.execPath, [binPath, ...args], { encoding: "utf8", env: home.env });
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as unknown });
    expect(existsSync(join(home.path, "cache"))).toBe(args[0] === "list");
  }
});

test("what every command loads does not load what only asking commands need", () => {
  const dist = join(dirname(binPath), "..", "dist");
  const textOf = (start: string): string =>
    readFileSync(join(dist, readdirSync(dist).find((name) => name.startsWith(start)) ?? ""), "utf8");
  expect(textOf("base-")).not.toMatch(/from"\.\/asking-/);
  // Nor does `list` load descriptors, or any file but these.
  expect(textOf("asking-")).not.toMatch(/from"\.\/(?!base-|rolldown-runtime-)/);
});

test("the licences of what is bundled are in the bundle", () => {
  const text = readFileSync(join(dirname(binPath), "..", "dist", "THIRD-PARTY-LICENSES.txt"), "utf8");
  for (const name of ["effect", "@bufbuild/protobuf", "yaml", "jsonc-parser"]) {
    expect(text).toMatch(
      new RegExp(`^${name} \\d+\\.\\d+.*: (MIT|ISC|Apache-2\\.0|\\(Apache-2\\.0 AND BSD-3-Clause\\))$`, "m"),
    );
  }
  expect(text).toContain("Permission is hereby granted");
});
