// Processes that exit after a call: no timers or sockets left.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { good, refuse, silent } from "../src/fault/Acts.ts";
import { startFaultServer, type Act } from "@bytenite-engines/test-kit";

const probe = fileURLToPath(new URL("../src/fault/exitProbe.ts", import.meta.url));

test.for<[name: string, act: Act, ended: string]>([
  ["success", good, "data"],
  ["failure", refuse(503, 14), "Unavailable"],
  ["timeout", silent, "TimedOut"],
  ["abort in request", silent, "given up"],
  ["abort in renewal", silent, "given up"],
  ["abort in backoff", refuse(503, 14, { "Retry-After": "20" }), "given up"],
])("a program ends by itself after %s", { timeout: 25_000 }, async ([name, act, ended]) => {
  await using server = await startFaultServer(act);
  const child = spawn(process.execPath, [probe, server.baseUrl, name], { stdio: ["ignore", "pipe", "inherit"] });
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  expect({ ...(JSON.parse(printed) as object), code }).toEqual({ ended, held: [], code: 0 });
});
