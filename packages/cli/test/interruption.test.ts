import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { resultOf } from "@bytenite-engines/test-kit/process";
import { as, binPath, bne, startBne } from "./Bne.ts";
import { onTerminal, programOnTerminal } from "./Pty.ts";
import { trial } from "./Trial.ts";

/** More than two of the pages that export asks for. */
const engineCount = 1_100;
const { registry, home } = await trial();
await registry.publish(
  "bob",
  ...Array.from({ length: engineCount }, (_, index) => ({
    name: `engine-${index}`,
    version: "1.0",
    description: "x".repeat(2_000),
  })),
);

const env = (): Record<string, string> => as(registry, "bob");

/** Resolves once the registry has seen so many requests. */
const requestsSeen = async (count: number): Promise<void> => {
  while (registry.requests.length < count) await new Promise((resolve) => setImmediate(resolve));
};

test("SIGINT in a retry ends at once with 130", async () => {
  registry.faults.set([{ fault: { status: 503, hint: { kind: "retry-after", seconds: 20 } } }]);
  const child = startBne(home, ["list"], { env: env() });
  const result = resultOf(child);
  await once(child.stderr, "data");
  child.kill("SIGINT");
  const { code, stdout, stderr } = await result;
  expect({ code, stdout }).toEqual({ code: 130, stdout: "" });
  expect(stderr).toMatch(/^\S+ answered 503; retrying in 20 s, as the server asks \(attempt 2 of 4\)\n$/);
});

test("SIGINT in a request that is not answered ends at once with 130", async () => {
  registry.faults.set([{ fault: { silent: true } }]);
  registry.requests.length = 0;
  const child = startBne(home, ["get", "engine-1"], { env: env() });
  const result = resultOf(child);
  await requestsSeen(1);
  child.kill("SIGINT");
  expect(await result).toEqual({ code: 130, stdout: "", stderr: "" });
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s while pull writes files ends with %i, and leaves none", async (signal, code) => {
  const folder = join(home.path, signal);
  mkdirSync(join(folder, "app"), { recursive: true });
  writeFileSync(join(folder, "manifest.json"), JSON.stringify({ name: signal, version: "0.1", type: "assembler" }));
  for (let file = 0; file < 5_000; file++) writeFileSync(join(folder, "app", file === 0 ? "main.py" : `${file}`), "");
  expect((await bne(home, ["push", folder], { env: env() })).code).toBe(0);
  const child = startBne(home, ["pull", signal, "pulled", "--quiet"], { env: env() });
  const result = resultOf(child);
  const written = (): ReadonlyArray<string> => readdirSync(home.path).filter((name) => name.includes("pulled"));
  await expect.poll(written, { timeout: 30_000 }).toHaveLength(1);
  child.kill(signal);
  expect(await result).toEqual({ code, stdout: "", stderr: "" });
  expect(written()).toEqual([]);
});

test("a jq expression that never ends is ended by SIGINT and SIGTERM", async () => {
  await registry.publish("alice", { name: "loop", version: "1.0" });
  for (const [signal, form] of [
    ["SIGINT", "json"],
    ["SIGTERM", "ndjson"],
  ] as const) {
    const args = ["get", "loop", "-o", form, "--verbose", "--jq", "def f: f; f"];
    const child = startBne(home, args, { env: as(registry, "alice") });
    const ended = once(child, "close");
    // The answer is there, and jq runs.
    await once(child.stderr, "data");
    const timer = setInterval(() => child.kill(signal), 200);
    expect([
      [null, signal],
      [signal === "SIGINT" ? 130 : 143, null],
    ]).toContainEqual(await ended);
    clearInterval(timer);
  }
});

test("SIGINT in a stream ends with 130 behind a whole line", async () => {
  registry.faults.set([{ skip: 2, fault: { silent: true } }]);
  registry.requests.length = 0;
  const child = startBne(home, ["list", "--all", "--page-size", "100", "--output", "ndjson"], { env: env() });
  const result = resultOf(child);
  let seen = 0;
  // The third page is asked for while the second one is written.
  child.stdout.on("data", (text: string) => {
    seen += text.split("\n").length - 1;
    if (seen === 200) child.kill("SIGINT");
  });
  const { code, stdout } = await result;
  expect(code).toBe(130);
  const lines = stdout.split("\n");
  expect(lines.pop()).toBe("");
  expect(lines).toHaveLength(200);
  for (const line of lines) JSON.parse(line);
});

test("SIGINT in wait ends with 130 and writes nothing", async () => {
  registry.requests.length = 0;
  const child = startBne(home, ["wait", "engine-1", "--for", "=never", "--interval", "20s"], { env: env() });
  const result = resultOf(child);
  await requestsSeen(1);
  while (registry.requests[0]?.outcome === "pending") await new Promise((resolve) => setImmediate(resolve));
  child.kill("SIGINT");
  expect(await result).toEqual({ code: 130, stdout: "", stderr: "" });
});

test("SIGTERM ends with 143", async () => {
  registry.faults.set([{ fault: { silent: true } }]);
  registry.requests.length = 0;
  const child = startBne(home, ["list"], { env: env() });
  const result = resultOf(child);
  await requestsSeen(1);
  child.kill("SIGTERM");
  expect((await result).code).toBe(143);
});

test("SIGINT in an export leaves the old file as it was and no other", async () => {
  const path = join(home.path, "backup.ndjson");
  writeFileSync(path, "the old backup\n");
  registry.faults.set([{ skip: 1, fault: { silent: true } }]);
  registry.requests.length = 0;
  const child = startBne(home, ["export", "--all", "--file", path], { env: env() });
  const result = resultOf(child);
  await requestsSeen(2);
  child.kill("SIGINT");
  expect((await result).code).toBe(130);
  expect(readFileSync(path, "utf8")).toBe("the old backup\n");
  expect(readdirSync(home.path).filter((name) => name.includes(".tmp"))).toEqual([]);
});

test("Ctrl-C at a hidden prompt ends with 130, with the terminal as it was", async () => {
  // The terminal says itself what it does with keys, before and after: echo, lines, signals. The shell ignores the Ctrl-C.
  const script = `trap : INT; stty -a; '${process.execPath}' '${binPath}' auth login; code=$?; stty -a; exit $code`;
  const run = programOnTerminal("bash", ["-c", script], home, { env: { BYTENITE_BASE_URL: registry.url } });
  await run.until(/not shown/);
  run.type("half-a-sec\u0003");
  expect(await run.ended).toBe(130);
  const [before, after, ...more] = run.raw().match(/^speed [^]*?-extproc/gm) ?? [];
  expect(more).toEqual([]);
  expect(before).toMatch(/ icanon .* echo /s);
  expect(after).toBe(before);
  expect(run.raw()).not.toContain("half-a-sec");
  expect(existsSync(join(home.path, "config"))).toBe(false);
});

test("Ctrl-C while a token that was typed is tried ends with 130: keys are signals again", async () => {
  registry.faults.set([{ fault: { silent: true } }]);
  registry.requests.length = 0;
  const run = onTerminal(home, ["auth", "login"], { env: { BYTENITE_BASE_URL: registry.url } });
  await run.until(/not shown/);
  run.type("local-bob\r");
  await requestsSeen(1);
  run.type("\u0003");
  expect(await run.ended).toBe(130);
});

test("SIGTERM ends the pager, too, with 143 and nothing more", async () => {
  // Megabytes, which no pipe to a pager holds.
  const run = onTerminal(home, ["list", "--all", "-o", "csv"], {
    rows: 10,
    env: { ...env(), PAGER: "head -n 1; echo reading; exec sleep 60" },
  });
  await run.until(/reading/);
  run.kill("SIGTERM");
  expect(await run.ended).toBe(143);
  expect(run.raw()).toMatch(/reading\s*$/);
});

test("Ctrl-C while progress is shown takes the progress away", async () => {
  registry.faults.set([{ fault: { silent: true } }]);
  const run = onTerminal(home, ["list"], { env: env() });
  await run.until(/asking for engines/);
  run.type("\u0003");
  expect(await run.ended).toBe(130);
  expect((await run.screen()).join("\n")).not.toContain("asking");
});

for (const form of ["ndjson", "json", "yaml", "csv", "table", "name", "protobuf"]) {
  test(`a pipe that closes ends ${form} quietly`, async () => {
    const child = spawn(process.execPath, [binPath, "list", "--all", "--output", form], {
      env: { ...home.env, ...env() },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    await once(child.stdout, "data");
    child.stdout.destroy();
    const [code] = (await once(child, "close")) as [number];
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
}

test("a shell's head gets its lines and nobody complains", async () => {
  const child = spawn(
    "bash",
    ["-o", "pipefail", "-c", `"${process.execPath}" "${binPath}" list --all -o ndjson | head -n 3`],
    { env: { ...home.env, ...env() } },
  );
  const { code, stdout, stderr } = await resultOf(child);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trimEnd().split("\n")).toHaveLength(3);
});

test("the first rows of --all are there when the first page is", async () => {
  registry.faults.set([{ skip: 1, fault: { silent: true } }]);
  for (const form of ["table", "ndjson", "json", "yaml", "csv", "name"]) {
    const child = startBne(home, ["list", "--all", "--output", form], { env: env() });
    const result = resultOf(child);
    registry.faults.set([{ skip: 1, fault: { silent: true } }]);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect({ form, stdout: (await result).stdout }).toEqual({
      form,
      stdout: expect.stringContaining("engine-1") as unknown,
    });
  }
});

test("help, version and completion end quietly when nobody reads them, too", async () => {
  for (const args of [
    ["--help"],
    ["--version"],
    ["list", "--version"],
    ["completion", "bash"],
    ["__complete", "zsh", ""],
  ]) {
    // The reader has gone before anything is written.
    const child = spawn(
      "bash",
      ["-c", 'exec 3> >(exec 0<&-); wait $!; exec "$@" >&3', "bash", process.execPath, binPath, ...args],
      {
        env: home.env,
      },
    );
    const { code, stderr } = await resultOf(child);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  }
});
