// Access log on a full disk, rotation, signals.
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "@bytenite-engines/test-kit/ports";
import { expect, test } from "vitest";
import { onSmallDisk, mounts } from "./smallDisk.ts";
import { get, place } from "./place.ts";
import { run, serve, type Serving } from "./process.ts";

const { directory, fresh } = place();

const ask = async ({ origin }: Serving, path = "/engines"): Promise<number> =>
  (await get(origin, path, "local-alice")).status;

interface Line {
  readonly path?: string;
  readonly leftOut?: number;
}

/** The whole lines of a log; throws when one is not JSON. */
const linesIn = (path: string): ReadonlyArray<Line> =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);

// Mounting needs the rights of root; elsewhere this case is left out.
test.skipIf(!mounts())(
  "on a full disk the service goes on, and the log resumes once there is space, in whole lines",
  async () => {
    await onSmallDisk(async (disk) => {
      const log = join(disk, "access.log");
      const filler = join(disk, "filler");
      const registry = await serve([...fresh(), "--access-log", log]);
      expect(await ask(registry)).toBe(200);
      execFileSync("sh", ["-c", `dd if=/dev/zero of=${filler} bs=1k 2>/dev/null || true`]);
      // A page still fits some lines; the one that fills it is cut.
      for (let call = 0; call < 60; call++) expect(await ask(registry, `/engines/${"n".repeat(60)}/status`)).toBe(404);
      await expect.poll(() => registry.output.stderr).toMatch(/access log: ENOSPC/);
      rmSync(filler);
      await expect
        .poll(
          async () => {
            await ask(registry, "/engines/zipper");
            return linesIn(log).some(({ path }) => path === "/v1/dev/engines/zipper");
          },
          { timeout: 10_000 },
        )
        .toBe(true);
      await expect.poll(() => registry.output.stderr).toMatch(/access log: written again/);
      expect(registry.output.stderr.match(/access log: ENOSPC/g)).toHaveLength(1);
      expect(await registry.end("SIGTERM")).toBe(0);
      expect(linesIn(log).length).toBeGreaterThan(60);
    });
  },
);

test("a log that can never be written takes a bounded memory, and the service goes on and ends", async () => {
  const registry = await serve([...fresh(), "--access-log", "/dev/full"]);
  for (let call = 0; call < 50; call++) expect(await ask(registry)).toBe(200);
  await expect.poll(() => registry.output.stderr).toMatch(/access log: ENOSPC/);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test.for(["/dev/full", "/dev/null"])("output that goes to %s ends nothing", async (output) => {
  const [, database = ""] = fresh();
  const main = join(import.meta.dirname, "../src/main.ts");
  const port = await freePort();
  const shell = execFileSync("sh", [
    "-c",
    `"$0" "$1" serve --port ${port} --database "$2" --access-log stderr >${output} 2>${output} & echo $!`,
    process.execPath,
    main,
    database,
  ]);
  const pid = Number(shell.toString());
  try {
    const origin = `http://127.0.0.1:${port}`;
    await expect
      .poll(
        () =>
          fetch(`${origin}/readyz`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(200);
    for (let call = 0; call < 5; call++) expect((await get(origin, "/engines", "local-alice")).status).toBe(200);
  } finally {
    process.kill(pid, "SIGTERM");
  }
});

test("SIGHUP opens the log anew, and no line is lost or cut in rotations under load", async () => {
  const log = join(directory, "rotated.log");
  const registry = await serve([...fresh(), "--access-log", log]);
  const files = [log];
  let asked = 0;
  for (let rotation = 0; rotation < 5; rotation++) {
    const calls = Array.from({ length: 40 }, () => ask(registry));
    asked += calls.length;
    const moved = `${log}.${rotation}`;
    renameSync(log, moved);
    files.push(moved);
    registry.child.kill("SIGHUP");
    expect(new Set(await Promise.all(calls))).toEqual(new Set([200]));
    await expect
      .poll(async () => {
        asked += 1;
        await ask(registry);
        try {
          return linesIn(log).length > 0;
        } catch {
          return false;
        }
      })
      .toBe(true);
  }
  expect(await registry.end("SIGTERM")).toBe(0);
  expect(files.flatMap(linesIn)).toHaveLength(asked);
});

test("a log whose directory is gone at SIGHUP goes on where it was; one that cannot be opened is reported at the start", async () => {
  const place = join(directory, "logs");
  execFileSync("mkdir", [place]);
  const log = join(place, "access.log");
  const registry = await serve([...fresh(), "--access-log", log]);
  renameSync(place, `${place}.away`);
  registry.child.kill("SIGHUP");
  await expect.poll(() => registry.output.stderr).toMatch(/access log: ENOENT/);
  expect(await ask(registry)).toBe(200);
  await expect.poll(() => linesIn(join(`${place}.away`, "access.log")).length).toBe(1);
  expect(await registry.end("SIGTERM")).toBe(0);
  const { code, stderr } = await run(["serve", "--port", "0", ...fresh(), "--access-log", log]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^registry: access log: ENOENT/)]);
});

test("SIGHUP, SIGUSR1 and SIGUSR2 end nothing and open no debugger: idle, under load, without a log, while it stops", async () => {
  const rules = join(directory, "slow.json");
  writeFileSync(rules, JSON.stringify([{ on: { endpoint: "get" }, fault: { latencyMs: 1_000 } }]));
  const registry = await serve([...fresh(), "--faults", rules]);
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGHUP"] as const) {
    registry.child.kill(signal);
    expect(await ask(registry)).toBe(200);
  }
  const slow = ask(registry, "/engines/zipper");
  await expect.poll(async () => (await fetch(`${registry.origin}/faults`)).json()).toMatchObject([{ seen: 1 }]);
  const ended = registry.end("SIGTERM");
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) registry.child.kill(signal);
  expect(await slow).toBe(200);
  expect(await ended).toBe(0);
  expect(registry.output.stderr).not.toMatch(/[Dd]ebugger/);
});

test("SIGHUP ends no registry whose own code is still being loaded", async () => {
  // Sent by the process to itself when it comes to the code that serves.
  const early = `import { registerHooks } from "node:module";
    registerHooks({ resolve: (name, context, next) => {
      if (name.endsWith("/serve.ts")) process.kill(process.pid, "SIGHUP");
      return next(name, context);
    } });`;
  const registry = await serve(fresh(), { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(early)}` });
  expect(await ask(registry)).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("a debugger that SIGUSR1 opened while Node was starting is closed when it is ready", async () => {
  // Sent by the process to itself before any of its own code.
  const early = `import{url}from"node:inspector";process.kill(process.pid,"SIGUSR1");while(url()===undefined)await new Promise(r=>setImmediate(r))`;
  const registry = await serve(fresh(), { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(early)}` });
  const port = Number(/ws:\/\/127\.0\.0\.1:(\d+)\//.exec(registry.output.stderr)?.[1]);
  expect(port).toBeGreaterThan(0);
  const refused = await new Promise((resolve) => {
    connect(port, "127.0.0.1")
      .once("connect", () => resolve(false))
      .once("error", () => resolve(true));
  });
  expect(refused).toBe(true);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("a debugger that was asked for stays", async () => {
  const registry = await serve(fresh(), { NODE_OPTIONS: "--inspect=127.0.0.1:0" });
  const port = Number(/ws:\/\/127\.0\.0\.1:(\d+)\//.exec(registry.output.stderr)?.[1]);
  expect((await fetch(`http://127.0.0.1:${port}/json/version`)).status).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("the page of the API and its files are logged and counted like every answer", async () => {
  const log = join(directory, "docs.log");
  const registry = await serve([...fresh(), "--access-log", log]);
  const paths = ["/docs", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js", "/openapi.json"];
  for (const path of paths) expect((await fetch(registry.origin + path)).status).toBe(200);
  expect((await fetch(`${registry.origin}/docs/swagger-ui.css`, { method: "POST" })).status).toBe(405);
  const metrics = await (await fetch(`${registry.origin}/metrics`)).text();
  expect(metrics).toMatch(/registry_requests_total\{endpoint="docs",status="200",format="none"\} 4/);
  await registry.end("SIGTERM");
  expect(linesIn(log).map(({ path }) => path)).toEqual([...paths, "/docs/swagger-ui.css", "/metrics"]);
});
