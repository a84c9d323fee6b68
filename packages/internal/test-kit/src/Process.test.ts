// Start, readiness and end of processes.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { close, freePort, listen } from "./Ports.ts";
import { resultOf, startProcess } from "./Process.ts";

const stayAlive = "setInterval(() => {}, 1_000);";

test("a process is ready once it says so, and ends by SIGTERM", async () => {
  const started = await startProcess(["-e", `console.log("hello"); console.log("ready http://a"); ${stayAlive}`]);
  expect(started.said).toBe("http://a");
  await started.stop();
  expect(started.child.signalCode).toBe("SIGTERM");
  await started.stop();
});

test("a process that ends before it is ready is an error with what it printed", async () => {
  await expect(startProcess(["-e", 'console.error("no such file"); process.exitCode = 3;'])).rejects.toThrow(
    /ended before it was ready \(3\):\nno such file/,
  );
});

test("output after the ready line does not fill a pipe that nobody reads", async () => {
  const script = `console.log("ready x");
    for (const stream of [process.stdout, process.stderr]) stream.write("x".repeat(4_000_000));
    process.stderr.write("", () => process.stdout.write("", () => process.exit(7)));`;
  const started = await startProcess(["-e", script]);
  await started.stop("SIGCONT");
  expect(started.child.exitCode).toBe(7);
});

test("all that a process prints is kept where that is asked for, a ready line in two parts is one", async () => {
  const script = `process.on("SIGTERM", () => { console.error("bye"); process.exit(4); });
    process.stdout.write("rea", () => process.stdout.write("dy x\\nmore\\n")); ${stayAlive}`;
  const started = await startProcess(["-e", script], { keepsOutput: true });
  await started.stop();
  expect([started.child.exitCode, started.output]).toEqual([4, { stdout: "ready x\nmore\n", stderr: "bye\n" }]);
});

test("a process that ends is its exit code and what it printed", async () => {
  const echo = spawn(process.execPath, ["-e", "process.stdin.pipe(process.stderr); process.exitCode = 3;"]);
  expect(await resultOf(echo, "said")).toEqual({ code: 3, stdout: "", stderr: "said" });
});

test("a free port can be listened on, and one in use is not given", async () => {
  const server = createServer();
  const { port } = new URL(await listen(server));
  expect(`${await freePort()}`).not.toBe(port);
  await close(server);
});
