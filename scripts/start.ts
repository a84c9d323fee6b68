// `pnpm start [--once]`: registry, proxy and `bne` on this machine.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { RecordedExchange } from "./ExchangeRecorder.ts";
import { startPart, type Part } from "./Part.ts";
import { assertFree, host, onFirstFree, portsFrom } from "./Port.ts";
import { quietly, step } from "./Step.ts";

/** Folder of the trial's data and logs; ignored by git. */
const dataFolder = process.env["DATA_FOLDER"] || ".data";

/** The user that every new registry on loopback is seeded with. */
const trialToken = "local-alice";

const stopping = new AbortController();
const parts: Array<Part> = [];
/** Settings that differ from the defaults. */
const notes: Array<string> = [];

/** A failed step that has been shown already. */
class StepFailed extends Error {}

/** Runs and shows one step; its failure ends everything. */
const setUp = async <A>(name: string, work: () => Promise<A>): Promise<A> => {
  const results: Array<A> = [];
  await step(name, async () => results.push(await work()), stopping.signal);
  stopping.signal.throwIfAborted();
  const [result] = results;
  if (result === undefined) throw new StepFailed();
  return result;
};

/** Starts a part on the first of its ports that is free; resolves with the base URL of the API there. */
const start = async (
  name: string,
  [script, ...args]: readonly [script: string, ...args: ReadonlyArray<string>],
  ports: ReadonlyArray<number>,
  variable: string,
): Promise<string> => {
  const log = `${dataFolder}/${name}.log`;
  const [part, port] = await onFirstFree(
    ports,
    variable,
    async (port) =>
      [await startPart(name, [script, "--port", `${port}`, ...args], log, stopping.signal), port] as const,
  );
  parts.push(part);
  if (port !== ports[0]) notes.push(`Port ${ports[0]} is in use; the ${name} listens on ${port} (${variable}).`);
  return `http://${host}:${port}/v1/dev`;
};

/** Runs the CLI as a user would, on our own terminal if `inherit`. Resolves with its HTTP exchanges. */
const bne = (
  baseUrl: string,
  args: ReadonlyArray<string>,
  stdout: "inherit" | "ignore",
): Promise<ReadonlyArray<RecordedExchange>> =>
  new Promise((resolve, reject) => {
    const recorder = new URL("./ExchangeRecorder.ts", import.meta.url).href;
    const child = spawn(process.execPath, ["--import", recorder, "packages/cli/bin/bne.js", ...args], {
      stdio: ["ignore", stdout, "inherit", "pipe"],
      signal: stopping.signal,
      // No pager, which would wait for keys.
      env: { ...process.env, BYTENITE_BASE_URL: baseUrl, BYTENITE_TOKEN: trialToken, BYTENITE_PAGER: "cat" },
    });
    let recorded = "";
    child.stdio[3]?.on("data", (bytes: Buffer) => (recorded += bytes.toString()));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code !== 0) return reject(new Error(`bne ${args.join(" ")} ended with exit code ${code}.`));
      const lines = recorded.trim().split("\n").filter(Boolean);
      resolve(lines.map((line) => JSON.parse(line) as RecordedExchange));
    });
  });

const shown = ({ status, contentType, cacheStatus }: RecordedExchange): string =>
  `${status}, ${contentType ?? "no media type"}, cache: ${cacheStatus ?? "not named"}`;

const main = async (): Promise<number> => {
  const registryPorts = portsFrom("REGISTRY_PORT", 4010);
  const proxyPorts = portsFrom("PROXY_PORT", 8787);
  for (const [[port = 0, ...others], variable] of [
    [registryPorts, "REGISTRY_PORT"],
    [proxyPorts, "PROXY_PORT"],
  ] as const) {
    // An unavailable port is reported before the build.
    if (others.length === 0) await assertFree(port, variable);
  }
  if (registryPorts.length === 1 && proxyPorts.length === 1 && registryPorts[0] === proxyPorts[0]) {
    throw new Error("REGISTRY_PORT and PROXY_PORT must differ.");
  }
  mkdirSync(dataFolder, { recursive: true });

  await setUp("build all packages", () =>
    quietly("turbo", ["run", "build", "--output-logs=errors-only"], { signal: stopping.signal }),
  );
  const registry = ["packages/registry/src/main.ts", "--database", `${dataFolder}/registry.sqlite`] as const;
  const registryUrl = await setUp("start the registry", () =>
    start("registry", registry, registryPorts, "REGISTRY_PORT"),
  );
  const proxy = ["apps/worker/scripts/proxy.ts", "--upstream", registryUrl] as const;
  const proxyUrl = await setUp("start the proxy on workerd", () => start("proxy", proxy, proxyPorts, "PROXY_PORT"));
  process.stdout.write(`${notes.map((note) => `${note}\n`).join("")}\n$ bne list\n`);
  const first = await bne(proxyUrl, ["list"], "inherit");
  const second = await bne(proxyUrl, ["list"], "ignore");
  const lines = [
    "",
    ...first.map((exchange) => `response         ${shown(exchange)}`),
    ...second.map((exchange) => `second response  ${shown(exchange)}`),
    `registry         ${registryUrl}`,
    `proxy            ${proxyUrl}`,
    "",
    "Try next:",
    `  BYTENITE_BASE_URL=${proxyUrl} BYTENITE_TOKEN=${trialToken} npx -y pnpm@12 bne get zipper@0.1`,
    `  BYTENITE_BASE_URL=${proxyUrl} BYTENITE_TOKEN=local-bob npx -y pnpm@12 bne list --output json`,
    `  curl -i -H 'Authorization: ${trialToken}' ${proxyUrl}/engines/fanout-urls/status`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  if (process.argv.includes("--once")) return 0;

  process.stdout.write(`\nRunning until Ctrl-C. Logs: ${dataFolder}/registry.log, ${dataFolder}/proxy.log\n`);
  const stopped = new Promise<undefined>((resolve) =>
    stopping.signal.addEventListener("abort", () => resolve(undefined)),
  );
  const died = await Promise.race([
    stopped,
    ...parts.map(async (part) => `The ${part.name} ended (${await part.ended})`),
  ]);
  if (died === undefined) return 0;
  throw new Error(`${died}; see ${dataFolder}/*.log.`);
};

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.abort());
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const unknown = process.argv.slice(2).filter((argument) => argument !== "--once");
try {
  if (unknown.length > 0) throw new Error(`Unknown argument ${unknown[0]}; the only one is --once.`);
  process.exitCode = await main();
} catch (error) {
  // A signal is not a failure; 130 is its exit code.
  if (stopping.signal.aborted) process.exitCode = 130;
  else {
    if (!(error instanceof StepFailed)) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    }
    process.exitCode = 1;
  }
} finally {
  for (const part of parts.toReversed()) await part.end();
  if (parts.length > 0) process.stdout.write("Everything that was started has ended.\n");
}
