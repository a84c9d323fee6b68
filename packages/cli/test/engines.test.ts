import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { binPath } from "./Bne.ts";
import { trial } from "./Trial.ts";

const { registry, home, alice, bob } = await trial();

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

test("status prints the status of several engines, and fails behind those when one is missing", async () => {
  expect((await alice("status", "zipper", "fanout-urls", "-o", "name")).stdout).toBe("zipper@0.1\nfanout-urls@0.5\n");
  expect(JSON.parse((await alice("status", "zipper", "fanout-urls", "-o", "json")).stdout)).toHaveLength(2);
  expect(await alice("status", "zipper", "gone", "-o", "name")).toMatchObject({ code: 3, stdout: "zipper@0.1\n" });
});

test("versions sorts by numbers, the latest first", async () => {
  expect((await bob("versions", "word-count", "-o", "name")).stdout).toBe("word-count@0.10\nword-count@0.9\n");
  const { code, stderr } = await bob("versions", "word-cuont");
  expect(code).toBe(3);
  expect(stderr).toMatch(/no engine named word-cuont\nDid you mean word-count\?/);
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

test.skipIf(process.platform === "win32")(
  "export replaces no pipe, device or socket, and keeps a file's mode",
  async () => {
    const at = (name: string): string => join(home.path, name);
    spawnSync("mkfifo", [at("pipe")]);
    symlinkSync("pipe", at("link"));
    // Only root can make one, and not everywhere.
    const hasDevice = spawnSync("mknod", [at("device"), "c", "1", "7"]).status === 0;
    for (const name of ["pipe", "link", ...(hasDevice ? ["device"] : [])]) {
      const { rdev, mode } = statSync(at(name));
      const { code, stderr } = await bob("export", "--all", "--file", name);
      expect({ name, code }).toEqual({ name, code: 1 });
      expect(stderr).toBe(
        `bne: Cannot write ${at(name)}: it is a pipe, a device or a socket, which a file would replace\n`,
      );
      expect(statSync(at(name))).toMatchObject({ rdev, mode });
    }
    expect(readdirSync(home.path).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    writeFileSync(at("shared.ndjson"), "");
    chmodSync(at("shared.ndjson"), 0o664);
    await bob("export", "--all", "--file", "shared.ndjson");
    await bob("export", "--all", "--file", "fresh.ndjson");
    expect(["shared.ndjson", "fresh.ndjson"].map((name) => statSync(at(name)).mode & 0o777)).toEqual([0o664, 0o600]);
    // What holds secrets is the user's alone.
    await bob("export", "--all", "--show-secrets", "--file", "shared.ndjson");
    expect(statSync(at("shared.ndjson")).mode & 0o777).toBe(0o600);
  },
);

test("raw passes on the body, maps the status to its exit code and stays below the base URL", async () => {
  const ok = await alice("raw", "GET", "/engines/zipper/status", "--include");
  expect(JSON.parse(ok.stdout)).toMatchObject({ engineStatus: "active" });
  expect(ok.stderr).toMatch(/^200 .*\n(.*\n)*content-type: application\/json\n/);
  const missing = await alice("raw", "GET", "/engines/nothing");
  expect(missing.code).toBe(3);
  expect(JSON.parse(missing.stdout)).toMatchObject({ code: 5 });
  expect((await alice("raw", "GET", "/../secret")).code).toBe(2);
  expect((await alice("raw", "GET", "/engines/zipper", "--jq", ".name")).stdout).toBe("zipper\n");
  const binary = ["raw", "GET", "/engines/zipper", "--accept", "application/x-protobuf", "--jq", "."];
  expect(await alice(...binary)).toMatchObject({ code: 2, stdout: "" });
  expect((await alice("raw", "FETCH", "/engines")).code).toBe(2);
});

test("--wire-format chooses the format, and --trace reports it to programs", async () => {
  for (const [format, mediaType] of [
    ["json", "application/json"],
    ["protobuf", "application/x-protobuf"],
    ["auto", "application/x-protobuf"],
  ] as const) {
    const { stderr } = await alice("list", "--wire-format", format, "--trace");
    const events = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toEqual([
      expect.objectContaining({ type: "response", method: "GET", status: 200, mediaType, attempt: 1 }),
    ]);
  }
});

test("--verbose prints each exchange in a line, and --quiet leaves only data", async () => {
  const { stderr } = await alice("get", "zipper", "--verbose");
  expect(stderr).toMatch(
    /^GET http:\S+\/engines\/zipper · 200 · application\/x-protobuf · \d+ bytes · .* · attempt 1 · no cache\n$/,
  );
  const quiet = await alice("get", "zipper", "--quiet");
  expect(quiet.stderr).toBe("");
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
    ["watch", "private", "--timeout", "1s"],
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
