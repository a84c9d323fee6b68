// Registries that strike their callers with faults, and ways to ask them.
import { connect } from "node:net";
import { startRegistry, type Fault, type FaultRule, type TestRegistry } from "../src/testing.ts";

/** A registry with one rule. */
export const struck = (
  fault: Fault | ReadonlyArray<Fault>,
  rest: Omit<FaultRule, "fault"> = {},
): Promise<TestRegistry> => startRegistry({ faults: [{ ...rest, fault }] });

/** What alice is answered. */
export const get = (registry: TestRegistry, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(registry.url + path, { headers: { Authorization: "local-alice", ...headers } });

/** All that a server sends on one connection, and how the connection ended. */
export const rawExchange = (
  registry: TestRegistry,
  path = "/engines/zipper",
  method = "GET",
): Promise<{ readonly text: string; readonly reset: boolean }> =>
  new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(new URL(registry.url).port), "127.0.0.1");
    socket.on("data", (chunk) => (text += chunk.toString("latin1")));
    socket.on("error", () => resolve({ text, reset: true }));
    socket.on("end", () => resolve({ text, reset: false }));
    socket.write(
      `${method} /v1/dev${path} HTTP/1.1\r\nHost: x\r\nAuthorization: local-alice\r\nConnection: close\r\n\r\n`,
    );
  });
