// Client commands on Node 20, found on PATH.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { expect, test } from "vitest";
import { resultOf, type Result } from "@bytenite-engines/test-kit/process";
import { as, binPath } from "./Bne.ts";
import { trial } from "./Trial.ts";

const { registry, home } = await trial();

const majorOf = (node: string): number =>
  Number(/^v(\d+)/.exec(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout ?? "")?.[1] ?? 0);
const old = ["/usr/bin", "/usr/local/bin", ...(process.env["PATH"] ?? "").split(delimiter)]
  .map((directory) => join(directory, "node"))
  .find((node) => majorOf(node) >= 20 && majorOf(node) < 24);

const onOldNode = (args: ReadonlyArray<string>, input = ""): Promise<Result> => {
  const child = spawn(old ?? "", [binPath, ...args], {
    env: { ...home.env, ...as(registry, "alice") },
    cwd: home.path,
  });
  const result = resultOf(child);
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return result;
};

test.skipIf(old === undefined)("every command but registry runs on an older Node", async () => {
  for (const args of [
    ["--version"],
    ["help", "output"],
    ["list"],
    ["list", "--all", "-o", "yaml"],
    ["list", "-o", "json", "--jq", ".engines | length"],
    ["get", "zipper", "-o", "csv"],
    ["status", "zipper", "-o", "protobuf"],
    ["versions", "zipper"],
    ["diff", "zipper", "zipper"],
    ["wait", "zipper"],
    ["watch", "zipper", "--timeout", "200ms"],
    ["export", "--all", "--file", "old.ndjson"],
    ["raw", "/engines"],
    ["doctor"],
    ["auth", "login"],
    ["auth", "status"],
    ["auth", "token"],
    ["auth", "logout"],
    ["profile", "set", "local", "--attempts", "2"],
    ["config", "get"],
    ["cache", "clear"],
    ["commands"],
    ["completion", "zsh"],
    ["__complete", "fish", "get", "z"],
  ]) {
    const { code, stderr } = await onOldNode(args, "local-alice");
    expect({ args, code, unexpected: /Unexpected|SyntaxError|is not a function/.test(stderr) }).toEqual({
      args,
      code: 0,
      unexpected: false,
    });
  }
  const diff = await onOldNode(["diff", "zipper", "fanout-urls"]);
  expect(diff.code).toBe(7);
});

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly engines?: { readonly node?: string };
}

const manifestAt = (path: string): Manifest =>
  JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as Manifest;

test("no package that is installed with it needs a newer Node", () => {
  const { dependencies, optionalDependencies, engines } = manifestAt("../package.json");
  expect(engines?.node).toBe(">=20.16");
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const { node = ">=0" } = manifestAt(`../node_modules/${name}/package.json`).engines ?? {};
    expect({ name, node, runs: Number(/\d+/.exec(node)) <= 20 }).toEqual({ name, node, runs: true });
  }
});

test.skipIf(old === undefined)("registry names the Node it needs", async () => {
  expect(await onOldNode(["registry", "users"])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(
      /^bne registry needs Node 24\.10 or later; this is Node \d+\.\d+\.\d+\.\n$/,
    ) as unknown,
  });
});
