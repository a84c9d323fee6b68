// The commands, as processes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { startRegistry } from "@bytenite-engines/registry/testing";
import { startServer } from "@bytenite-engines/test-kit/ports";
import { resultOf, startProcess, type Result } from "@bytenite-engines/test-kit/process";
import { expect, onTestFinished, test } from "vitest";
import { cacheResult } from "./served.ts";

const argumentsOf = (name: string, args: ReadonlyArray<string>): ReadonlyArray<string> => [
  fileURLToPath(new URL(`../scripts/${name}.ts`, import.meta.url)),
  ...args,
];

/** Starts a command that serves; it ends with the test, by SIGTERM: workerd would outlive SIGKILL. */
const serve = async (name: string, args: ReadonlyArray<string>, env: Record<string, string> = {}) => {
  const served = await startProcess(argumentsOf(name, args), {
    env: { ...process.env, ...env },
    ready: /^ready (http:\/\/127\.0\.0\.1:\d+)$/,
    keepsOutput: true,
  });
  onTestFinished(() => served.stop());
  return served;
};

/** Runs the proxy's command to its end. */
const run = (args: ReadonlyArray<string>): Promise<Result> =>
  resultOf(spawn(process.execPath, argumentsOf("proxy", args)));

/** Waits for the end of whoever listens there, by a connection that ends with it; gives whether it still accepts others. */
const watchEnd = async (url: string): Promise<() => Promise<boolean>> => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  // A connection that is reset has ended, too.
  socket.on("error", () => undefined).resume();
  return async () => {
    await closed;
    return fetch(url).then(
      () => true,
      () => false,
    );
  };
};

test.each(["SIGINT", "SIGTERM"] as const)(
  "proxy says one line when it is ready, and ends with workerd on %s",
  async (signal) => {
    await using registry = await startRegistry();
    const proxy = await serve("proxy", ["--port", "0", "--upstream", registry.url]);
    const url = proxy.said;
    const get = () => fetch(`${url}/v1/dev/engines`, { headers: { authorization: registry.tokens["alice"] ?? "" } });
    expect([cacheResult(await get()), cacheResult(await get())]).toEqual(["fwd=uri-miss", "hit"]);
    const isUpAfterEnd = await watchEnd(url);
    await proxy.stop(signal);
    expect([proxy.child.exitCode, await isUpAfterEnd()]).toEqual([0, false]);
    expect(proxy.output).toEqual({ stdout: `ready ${url}\n`, stderr: "" });
  },
);

test("its log has a line for each request, and no token, secret or digest of one in it", async () => {
  await using registry = await startRegistry();
  const token = registry.tokens["alice"] ?? "";
  const proxy = await serve("proxy", ["--port", "0", "--upstream", registry.url], {
    LOG: "all",
    ADMIN_SECRET: "a-very-secret-secret",
  });
  const url = proxy.said;
  for (const path of ["/engines", "/engines", "/engines/zipper", "/engines/a%2Fb"]) {
    await fetch(`${url}/v1/dev${path}`, {
      headers: { authorization: token, traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` },
    });
  }
  await proxy.stop();
  const lines = proxy.output.stderr.trim().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
    "GET 200 miss",
    "GET 200 hit",
    "GET 200 miss",
    "GET 400 refused",
  ]);
  expect(lines.every((line) => line.includes("a".repeat(32)))).toBe(true);
  for (const secret of [token, "secret", "digest"]) expect(proxy.output.stderr).not.toContain(secret);
});

test("a port in use is one sentence", async () => {
  await using server = await startServer(() => {});
  const { port } = new URL(server.origin);
  expect(await run(["--port", port, "--upstream", "http://127.0.0.1:1/v1/dev"])).toEqual({
    code: 1,
    stdout: "",
    stderr: `Port ${port} is in use: choose another one with --port.\n`,
  });
});

test.each([
  [["--port", "0"], "--upstream is missing."],
  [["--port", "0", "--upstream", " "], "--upstream is missing."],
  [["--upstream", "http://127.0.0.1:1"], "--port must be a whole number"],
  [["--port", "0", "--upstream", "nonsense"], "UPSTREAM_URL must be an http or https URL"],
  [["--porz", "0"], "Unknown option '--porz'"],
])("%j is refused in one line", async (args, problem) => {
  const { code, stderr } = await run(args);
  expect([code, stderr.trim().split("\n").length]).toEqual([1, 1]);
  expect(stderr).toContain(problem);
});

test("--help says how it is used", async () => {
  expect(await run(["--help"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Usage: .+\n$/) as string });
});

test("rfc-cache forwards anything, stores by the rules of a shared cache, and invalidates", async () => {
  let count = 0;
  await using server = await startServer((request, response) => {
    count += 1;
    if (request.url === "/old") response.setHeader("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    else response.setHeader("cache-control", request.url === "/private" ? "private, max-age=60" : "max-age=60");
    response.end(`${request.method} ${request.url} ${String(request.headers["x-any"] ?? "")} ${count}`);
  });
  const { said: url } = await serve("rfc-cache", ["--port", "0", "--upstream", server.origin]);
  const text = async (path: string, init?: RequestInit): Promise<string> => (await fetch(url + path, init)).text();
  expect(await text("/a?b=1", { headers: { "x-any": "x" } })).toBe("GET /a?b=1 x 1");
  expect(await text("/a?b=1", { headers: { "x-any": "y" } })).toBe("GET /a?b=1 x 1");
  expect(await text("/a?b=1", { headers: { range: "bytes=0-2" } })).toBe("GET");
  expect(await text("/a?b=1", { method: "PUT", body: "z" })).toBe("PUT /a?b=1  2");
  expect(await text("/a?b=1")).toBe("GET /a?b=1  3");
  expect([await text("/private"), await text("/private")]).toEqual(["GET /private  4", "GET /private  5"]);
  expect(await text("/auth", { headers: { authorization: "x" } })).toBe("GET /auth  6");
  expect(await text("/auth")).toBe("GET /auth  7");
  expect([await text("/old"), await text("/old")]).toEqual(["GET /old  8", "GET /old  8"]);
});
