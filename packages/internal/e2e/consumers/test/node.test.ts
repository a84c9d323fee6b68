// Installed packages on Node, `bne`, and the oldest supported Node.
import { execFileSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { managers } from "../src/InstalledProject.ts";
import { ran } from "../src/Ran.ts";
import { serve } from "../src/Serve.ts";

/** The oldest supported Node, where the machine has one. */
const oldest = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "node"))
  .find((node) => {
    try {
      const version = execFileSync(node, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      return version.startsWith("v20.");
    } catch {
      return false;
    }
  });

describe.each(managers)("installed by %s", (manager) => {
  const project = inject("projects")[manager];

  test("JavaScript asks a registry of the same installation through both entries", async () => {
    const { listed, ...rest } = JSON.parse(await ran(process.execPath, ["engines.js"], project)) as {
      readonly listed: ReadonlyArray<string>;
    };
    expect(listed).toContain("zipper@0.1");
    expect(rest).toEqual({
      mediaType: "application/x-protobuf",
      engine: "zipper",
      missing: "NotFound",
      status: "active",
      lifetimeMs: 60_000,
    });
  });

  test.skipIf(oldest === undefined)("the client works on Node 20", async () => {
    expect(JSON.parse(await ran(oldest ?? "", ["oldest.js"], project))).toEqual({
      major: 20,
      answers: ["plain in protobuf after 2", "gzip in protobuf after 1", "br in protobuf after 1"],
      given: "enough",
      listed: ["plain", "gzip", "br", "slow"],
      missing: "NotFound",
    });
  });

  test("`bne` calls it, too, and fails with an exit code", async () => {
    const { url, stop } = await serve(project);
    onTestFinished(stop);
    const env = { BYTENITE_BASE_URL: url, BYTENITE_TOKEN: "local-alice", XDG_CONFIG_HOME: join(project, "config") };
    const bne = join(project, "node_modules/.bin/bne");
    const engine = JSON.parse(await ran(bne, ["get", "zipper", "--output", "json"], project, env)) as unknown;
    expect(engine).toMatchObject({ name: "zipper", version: "0.1" });
    expect(await ran(bne, ["list", "--output", "json", "--jq", ".engines[].name"], project, env)).toContain("zipper");
    await expect(ran(bne, ["get", "no-such-engine"], project, env)).rejects.toThrow("no-such-engine");
  });
});
