import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { programOnTerminal } from "./Pty.ts";
import { resultOf, type Result } from "@bytenite-engines/test-kit/process";
import { as, bne, installed, makeHome, startBne, writeUserFile } from "./Bne.ts";
import { trial } from "./Trial.ts";

const { registry, home } = await trial();
writeFileSync(join(home.path, "backup.ndjson"), "");
const env = installed(home, registry, "bob");

const has = (shell: string): boolean => spawnSync(shell, ["--version"]).status === 0;

/** Runs a script in a real shell. The registry is in this process, so nothing may block. */
const inShell = (shell: string, args: ReadonlyArray<string>): Promise<Result> =>
  resultOf(spawn(shell, args, { env, cwd: home.path }));

/** What bash makes of a line, as readline would ask it. */
const inBash = async (line: string): Promise<ReadonlyArray<string>> => {
  const script = `
    source <(bne completion bash)
    line=${JSON.stringify(line)}
    COMP_LINE=$line COMP_POINT=\${#line} COMP_TYPE=9
    _bne bne
    printf '%s\\n' "\${COMPREPLY[@]}"
  `;
  const { stdout, stderr } = await inShell("bash", ["--norc", "-c", script]);
  expect(stderr).toBe("");
  return stdout
    .trimEnd()
    .split("\n")
    .filter((value) => value !== "");
};

/** What an interactive shell shows when Tab is pressed behind the start of a tag. */
const afterTab = async (
  shell: string,
  args: ReadonlyArray<string>,
  more = {},
  typed = "bne get frame",
): Promise<string> => {
  const run = programOnTerminal(shell, args, home, { columns: 120, env: { ...env, PS1: "$ ", ...more } });
  run.type(`source <(bne completion ${shell}); echo rea''dy\r`);
  await run.until(/ready\r/);
  run.type(`${typed}\t`);
  await run.until(/frame-\S+ /);
  run.kill("SIGKILL");
  return run.raw();
};

test("bash completes commands, flags, values and tags", async () => {
  expect(await inBash("bne sta")).toEqual(["status"]);
  expect(await inBash("bne auth ")).toEqual(["login", "status", "logout", "token"]);
  expect(await inBash("bne list --out")).toEqual(["--output"]);
  expect(await inBash("bne list --output nd")).toEqual(["ndjson"]);
  expect(await inBash("bne get fr")).toEqual(["frame-splitter@1.2"]);
  expect(await inBash("bne versions wo")).toEqual(["word-count"]);
  expect(await inBash("bne --profile def")).toEqual(["default"]);
  expect(await inBash("bne config get base")).toEqual(["baseUrl"]);
  expect(await inBash("bne completion z")).toEqual(["zsh"]);
  expect(await inBash("bne get -- zi")).toEqual([]);
  expect(await inBash("bne registry users ")).toEqual(["create", "disable", "enable", "delete"]);
  expect(await inBash("bne help exi")).toEqual(["exit-codes"]);
  expect(await inBash("bne watch --output ")).toEqual(["table", "wide", "ndjson"]);
});

test("bash replaces only what stands behind its own word breaks", async () => {
  // `@` and `=` break words in bash, so only what comes behind them is given; `@` itself is a part of what is replaced.
  expect(await inBash("bne get word-count@0.")).toEqual(["@0.9", "@0.10"]);
  expect(await inBash("bne list --output=nd")).toEqual(["ndjson"]);
});

test("an interactive bash completes a tag at the Tab key, and keeps its @", async () => {
  expect(await afterTab("bash", ["--norc"])).toContain("frame-splitter@1.2");
  expect(await afterTab("bash", ["--norc"], {}, "bne get frame-splitter@")).toContain("frame-splitter@1.2 ");
});

test.skipIf(!has("zsh"))("zsh completes tags with their types, and options with their summaries", async () => {
  const script = `
    source <(bne completion zsh)
    words=(bne get fr) CURRENT=3
    _describe() { print -rl -- "\${(@P)2}" }
    _bne
    words=(bne auth '') CURRENT=3
    _bne
    words=(bne export --file '') CURRENT=4
    _files() { print files }
    _bne
  `;
  const { stdout, stderr } = await inShell("zsh", ["-f", "-c", script]);
  expect(stderr).toBe("");
  expect(stdout.split("\n").slice(0, 2)).toEqual([
    "frame-splitter@1.2:partitioner",
    "login:Store an access token or an API key",
  ]);
  expect(stdout.trimEnd().split("\n").at(-1)).toBe("files");
});

test.skipIf(!has("zsh"))("an interactive zsh completes a tag at the Tab key", async () => {
  expect(await afterTab("zsh", ["-f"])).toContain("frame-splitter@1.2");
});

test.skipIf(!has("fish"))("fish completes commands, values and tags", async () => {
  const script = `
    bne completion fish | source
    complete --do-complete 'bne get fr'
    complete --do-complete 'bne list --output nd'
    complete --do-complete 'bne sta'
    complete --do-complete 'bne export --file back'
  `;
  const { stdout, stderr } = await inShell("fish", ["--no-config", "-c", script]);
  expect(stderr).toBe("");
  expect(stdout.trimEnd().split("\n")).toEqual([
    "frame-splitter@1.2\tpartitioner",
    "ndjson",
    "status\tShow the status of engines",
    expect.stringMatching(/^backup\.ndjson/),
  ]);
});

test("every shell's script is printed, and one that there is not is 2 with a suggestion", async () => {
  for (const shell of ["bash", "zsh", "fish", "powershell"]) {
    const { code, stdout } = await bne(home, ["completion", shell]);
    expect({ shell, code }).toEqual({ shell, code: 0 });
    expect(stdout).toContain(`bne __complete ${shell}`.replace("bne", shell === "powershell" ? "bne" : "").trim());
  }
  // A shell that starts wants it, whatever is wrong with the settings.
  using broken = makeHome();
  writeUserFile(broken, "{");
  expect((await bne(broken, ["completion", "bash"])).code).toBe(0);
  expect((await bne(broken, ["versions", "bash"])).code).toBe(2);
  const { code, stderr } = await bne(home, ["completion", "zhs"]);
  expect(code).toBe(2);
  expect(stderr).toContain("Did you mean zsh?");
});

test("tags are kept for a minute, apart for each token, and a failure offers nothing", async () => {
  using other = makeHome();
  const asking = (vars: Record<string, string>): Promise<Result> =>
    bne(other, ["__complete", "fish", "get", ""], { env: vars });
  registry.requests.length = 0;
  const first = await asking(as(registry, "bob"));
  expect((await asking(as(registry, "bob"))).stdout).toBe(first.stdout);
  expect(registry.requests).toHaveLength(1);
  expect((await asking(as(registry, "alice"))).stdout).toContain("zipper@0.1");
  // A token that is missing, or would be read from the input, is not another token.
  for (const flag of [["--token", "-"], ["--token="]]) {
    const { stdout } = await bne(other, ["__complete", "fish", ...flag, "get", ""], { env: as(registry, "bob") });
    expect({ flag, stdout }).toEqual({ flag, stdout: first.stdout });
  }
  const kept = readdirSync(join(other.path, "cache", "bytenite-engines", "completion"));
  expect(kept).toHaveLength(2);
  expect(kept.join("")).not.toMatch(/bob|alice/);
  const failed = await asking({ BYTENITE_BASE_URL: "http://127.0.0.1:9/v1/dev", BYTENITE_TOKEN: "x" });
  expect(failed).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("a hostile type does not reach the shell raw", async () => {
  await registry.publish("alice", { name: "evil", version: "1.0", type: "\u001b]0;x\u0007\n$(touch gone)" });
  using other = makeHome();
  const child = startBne(other, ["__complete", "fish", "get", "evil"], { env: as(registry, "alice") });
  const { stdout } = await resultOf(child);
  expect(stdout).toBe(String.raw`evil@1.0` + "\t" + String.raw`\u001b]0;x\u0007\n$(touch gone)` + "\n");
});

test("a word that a shell would act upon is not offered, and nothing is run at the Tab key", async () => {
  const names = [
    "frame;touch gone",
    "frame$(touch gone)",
    "frame`touch gone`",
    "frame*",
    "frame'x",
    "frame x",
    "frame-ok",
  ];
  const engines = names.map((name) => ({ name, version: "1.0" }));
  const text = JSON.stringify({ engines, pagination: { total: engines.length } });
  registry.faults.set([{ fault: { body: { text }, contentType: "application/json" } }]);
  const run = as(registry, "alice");
  for (const shell of ["bash", "zsh", "fish", "powershell"]) {
    const words = shell === "bash" ? ["bne get frame", " @="] : ["get", "frame"];
    const { stdout } = await bne(home, ["__complete", shell, ...words], { env: { ...env, ...run } });
    expect(stdout.split("\n").map((line) => line.split("\t")[0])).toEqual(["frame-ok@1.0", ""]);
  }
  expect(await afterTab("bash", ["--norc"], run)).toContain("frame-ok@1.0");
  expect(existsSync(join(home.path, "gone"))).toBe(false);
  registry.faults.clear();
});
