// `pnpm start` as a process, on free ports.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { freePort, listen, portOf } from "../packages/internal/test-kit/src/Ports.ts";
import { assertFree } from "./Port.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "start-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

interface Started {
  readonly child: ChildProcess;
  readonly printed: { out: string; err: string };
  readonly code: Promise<number | null>;
}

const start = (args: ReadonlyArray<string>, ports: Ports): Started => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("./start.ts", import.meta.url)), ...args], {
    env: {
      ...process.env,
      REGISTRY_PORT: `${ports.registry}`,
      PROXY_PORT: `${ports.proxy}`,
      DATA_FOLDER: folder,
      NO_COLOR: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.err += text));
  // A test that fails must not leave the stack behind.
  onTestFinished(() => void child.kill("SIGTERM"));
  return { child, printed, code: once(child, "close").then(([code]) => code as number | null) };
};

/** Resolves once the child has printed a text; rejects when it ends without. */
const waitForText = ({ child, printed, code }: Started, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      if (printed.out.includes(text)) resolve();
    };
    child.stdout?.on("data", look);
    look();
    void code.then(() => reject(new Error(`it ended: ${printed.out}${printed.err}`)));
  });

interface Ports {
  readonly registry: number;
  readonly proxy: number;
}

/** Two ports that were free a moment ago. */
const freePorts = async (): Promise<Ports> => {
  const [registry, proxy] = await Promise.all([freePort(), freePort()]);
  return { registry, proxy };
};

const bothFree = async ({ registry, proxy }: Ports): Promise<void> => {
  await assertFree(registry, "REGISTRY_PORT");
  await assertFree(proxy, "PROXY_PORT");
};

test("start --once shows the table, both responses and their Cache-Status, and leaves nothing behind", async () => {
  const ports = await freePorts();
  const { printed, code } = start(["--once"], ports);
  expect({ code: await code, err: printed.err }).toEqual({ code: 0, err: "" });
  for (const name of ["fanout-replica", "zipper", "fanout-urls", "data-assembler", "passthrough"]) {
    expect(printed.out).toContain(name);
  }
  expect(printed.out).toMatch(/response +200, application\/x-protobuf, cache: .*fwd=/);
  expect(printed.out).toMatch(/second response +200, application\/x-protobuf, cache: .*hit/);
  expect(printed.out).toContain(`http://127.0.0.1:${ports.registry}/v1/dev`);
  expect(printed.out).toContain(`http://127.0.0.1:${ports.proxy}/v1/dev`);
  expect(printed.out.split("Try next:")[1]?.match(/^ {2}\S.*/gm)).toHaveLength(3);
  await bothFree(ports);
});

test.for(["SIGINT", "SIGTERM"] as const)("start runs until %s and then ends all that it started", async (signal) => {
  const ports = await freePorts();
  const started = start([], ports);
  await waitForText(started, "Running until Ctrl-C");
  const list = await fetch(`http://127.0.0.1:${ports.proxy}/v1/dev/engines`, {
    headers: { authorization: "local-bob" },
  });
  expect(await list.text()).toContain("word-count");
  started.child.kill(signal);
  expect(await started.code).toBe(0);
  await bothFree(ports);
});

test.for([
  ["build all packages", ".. build all packages"],
  ["start the registry", ".. start the registry"],
  ["start the proxy on workerd", ".. start the proxy"],
  ["list engines", "$ bne list"],
])("start that is ended while it is about to %s ends quietly and leaves nothing behind", async ([, shown = ""]) => {
  const ports = await freePorts();
  const started = start([], ports);
  await waitForText(started, shown);
  started.child.kill("SIGINT");
  const { printed, code } = started;
  expect({ code: await code, err: printed.err }).toEqual({ code: 130, err: "" });
  expect(printed.out).not.toMatch(/FAIL|stopped|exit code|Running until/);
  await bothFree(ports);
});

test.for([
  ["REGISTRY_PORT", "registry"],
  ["PROXY_PORT", "proxy"],
] as const)("a port in use is one clear sentence that names %s", async ([variable, part]) => {
  const taken = createServer();
  await listen(taken);
  const ports = { ...(await freePorts()), [part]: portOf(taken) };
  const { printed, code } = start(["--once"], ports);
  expect(await code).toBe(1);
  expect(printed).toEqual({
    out: "",
    err: `Port ${portOf(taken)} is in use by another process; choose another one with ${variable}=PORT.\n`,
  });
  taken.close();
});

test("an argument that start does not know is refused", async () => {
  const { printed, code } = start(["--twice"], await freePorts());
  expect([await code, printed.err]).toEqual([1, "Unknown argument --twice; the only one is --once.\n"]);
});
