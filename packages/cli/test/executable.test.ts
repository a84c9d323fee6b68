// The single executable, built by its verb and run without Node.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { makeHome, writeUserFile } from "./Bne.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const program = join(root, ".data/executable/bne");

/** Milliseconds: the build writes all of Node into a file, for which a busy machine takes more than a minute. */
const timeout = 180_000;

test.skipIf(process.platform === "win32")("the executable is built, and is the same bne", { timeout }, () => {
  using home = makeHome();
  const built = execFileSync(process.execPath, [join(root, "packages/cli/scripts/executable.ts")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  expect(built).toMatch(/executable\/bne: \d+\.\d MB, of which Node is \d+\.\d MB\n$/);
  const run = (...args: ReadonlyArray<string>) => {
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: home.path,
      env: { ...home.env, PATH: "" },
      encoding: "utf8",
      input: "local-alice",
    });
    return { status, stdout, stderr };
  };
  expect(run("--version")).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as unknown,
    stderr: "",
  });
  expect(run("commands", "--jq", '.commands[0].name + "é"')).toEqual({ status: 0, stdout: "bne listé\n", stderr: "" });
  // A keychain needs a native module, which an executable cannot load.
  writeUserFile(home, '{"profiles":{"default":{"credentials":"keychain"}}}');
  expect(run("auth", "token")).toEqual({
    status: 2,
    stdout: "",
    stderr: expect.stringMatching(
      /which the single executable cannot ask\n.*bne auth login\. Or set BYTENITE_TOKEN/,
    ) as unknown,
  });
  expect(run("auth", "login", "--no-verify", "--base-url", "http://127.0.0.1:9/v1/dev").stderr).toMatch(
    /^The single executable uses no keychain but a file\.\nStored in \/.*credentials\.json for profile default/,
  );
  expect(run("auth", "token").stdout).toBe("local-alice\n");
  expect(run("new", "hello", "--type", "assembler").status).toBe(0);
  expect(run("validate", "hello", "--output", "json").status).toBe(0);
  expect(run("registry", "import", "hello", "--user", "alice", "--database", "r.db", "-o", "csv").stdout).toBe(
    "tag,revision,source\nhello@0.1,1,hello/manifest.json\n",
  );
});
