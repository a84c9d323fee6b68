import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { nameOf } from "../src/parse/Command.ts";
import { commands, flagsOf } from "../src/parse/CommandTable.ts";
import { resultOf } from "@bytenite-engines/test-kit/process";
import { bne, installed } from "./Bne.ts";
import { archives, trial } from "./Trial.ts";

const { registry, home } = await trial();
const env = installed(home, registry, "alice");
const archived = await archives(home);
// The example about a database of one's own has one.
const made = spawn("bne", ["registry", "import", "--user", "alice", "--database", "registry.db", "-"], {
  env,
  cwd: home.path,
});
const ended = resultOf(made);
made.stdin.end('{"name": "mine", "version": "1.0"}\n');
await ended;

/** Commands about engines that have archives. */
const withArchives = new Set(["push", "pull", "activate", "deactivate", "delete"]);

for (const command of commands) {
  for (const { line, exit = 0 } of command.examples) {
    test(`the example \`${line}\` ends with ${exit}`, async () => {
      const { code, stderr } = await resultOf(
        spawn("bash", ["-o", "pipefail", "-c", line], {
          env: command.path.some((word) => withArchives.has(word)) ? { ...env, ...archived.env } : env,
          cwd: home.path,
        }),
      );
      expect({ code, stderr: exit === 0 ? stderr.replaceAll(/^(?!bne:).*\n/gm, "") : "" }).toEqual({
        code: exit,
        stderr: "",
      });
    });
  }
}

test("every command has help with its flags, examples and exit codes, on stdout", async () => {
  const results = await Promise.all(
    commands.map(async (command) => ({ command, result: await bne(home, [...command.path, "--help"]) })),
  );
  for (const { command, result } of results) {
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).toMatch(new RegExp(`^${nameOf(command)}: `));
    for (const { name } of flagsOf(command).slice(0, (command.flags ?? []).length))
      expect(result.stdout).toContain(`--${name}`);
    for (const { line } of command.examples) expect(result.stdout).toContain(`  ${line}\n`);
    for (const text of result.stdout.split("\n").filter((text) => !text.startsWith("  ")))
      expect(text.length).toBeLessThanOrEqual(100);
  }
});

test("without a word it shows help, as `--help` does", async () => {
  expect(await bne(home, [])).toEqual(await bne(home, ["--help"]));
});

test("help for a group shows its commands, help for nothing known is 2", async () => {
  expect((await bne(home, ["auth", "--help"])).stdout).toMatch(/auth login.*\n.*auth status/);
  expect((await bne(home, ["help", "wait"])).stdout).toBe((await bne(home, ["wait", "-h"])).stdout);
  const { code, stderr } = await bne(home, ["help", "wiat"]);
  expect(code).toBe(2);
  expect(stderr).toContain("Did you mean bne wait?");
});

test("a flag has the same kind and letter in every command", () => {
  const seen = new Map<string, string>();
  for (const flag of commands.flatMap(flagsOf)) {
    const looks = `${flag.kind} ${flag.short ?? ""}`;
    expect([flag.name, seen.get(flag.name) ?? looks]).toEqual([flag.name, looks]);
    seen.set(flag.name, looks);
  }
});
