// `node scripts/neighbours.ts`: waiting times of 20 users during other clients' failing requests.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { serve } from "@bytenite-engines/test-kit";
import { builtWorker } from "./built.ts";

const roundMs = 10_000;
const rounds = 3;
const users = 20;
/** Pause of a user between two misses, in milliseconds. */
const pauseMs = 200;
/** Requests a second of the others, and how many of theirs hang at a time. */
const othersPerSecond = 200;
const hanging = 64;

const origin = spawn(process.execPath, [fileURLToPath(new URL("../test/originProcess.ts", import.meta.url))], {
  stdio: ["pipe", "pipe", "inherit"],
});
const [port] = (await once(origin.stdout, "data")) as [Buffer];
const variables = { UPSTREAM_URL: `http://127.0.0.1:${port.toString().trim()}/v1/dev`, LOG: "off" };
const proxy = await serve({ name: "worker", code: await builtWorker(), port: 0, variables });

let asked = 0;
const ask = async (token: string | undefined, kind: string): Promise<number> => {
  const response = await fetch(`${proxy.url}/v1/dev/engines/${kind}-${asked++}`, {
    headers: { accept: "application/json", ...(token === undefined ? {} : { authorization: token }) },
  });
  await response.arrayBuffer();
  return response.status;
};

/** Latencies of the users in milliseconds, and how many of their requests failed. */
const round = async (isAttack: boolean, token: string | undefined) => {
  const until = performance.now() + roundMs;
  const latencies: Array<number> = [];
  let failed = 0;
  const user = async (index: number): Promise<void> => {
    while (performance.now() < until) {
      const start = performance.now();
      if ((await ask(`user-${index}`, "sound")) !== 200) failed += 1;
      latencies.push(performance.now() - start);
      await pause(pauseMs * (0.5 + Math.random()));
    }
  };
  const under: Array<Promise<unknown>> = [];
  const others = async (): Promise<void> => {
    const start = performance.now();
    for (let sent = 0; performance.now() < until; sent++) {
      under.push(ask(token, isAttack ? "failing" : "missing"));
      await pause(Math.max(0, start + ((sent + 1) * 1_000) / othersPerSecond - performance.now()));
    }
  };
  const held = async (): Promise<void> => {
    while (performance.now() < until) {
      await ask(token, isAttack ? "hanging" : "missing");
      if (!isAttack) await pause(8_000);
    }
  };
  await Promise.all([
    ...Array.from({ length: users }, (_, index) => user(index)),
    others(),
    ...Array.from({ length: hanging }, held),
  ]);
  await Promise.all(under);
  latencies.sort((a, b) => a - b);
  return { failed, count: latencies.length, p95: latencies[Math.floor(latencies.length * 0.95)] ?? Number.NaN };
};

const middle = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

await round(false, undefined);
for (const [name, token] of [
  ["without a token", undefined],
  ["with one token", "mallory"],
] as const) {
  const control: Array<Awaited<ReturnType<typeof round>>> = [];
  const attack: typeof control = [];
  for (let count = 0; count < rounds; count++) {
    control.push(await round(false, token));
    attack.push(await round(true, token));
  }
  const p95 = (results: typeof control): string => results.map((result) => result.p95.toFixed(1)).join(" ");
  const failed = attack.reduce((sum, result) => sum + result.failed, 0);
  const count = attack.reduce((sum, result) => sum + result.count, 0);
  const ratio = middle(attack.map((result) => result.p95)) / middle(control.map((result) => result.p95));
  process.stdout.write(
    `others ${name}: p95 in ms with 404s ${p95(control)}, with failing and hanging ${p95(attack)}: ratio of medians ` +
      `${ratio.toFixed(2)}; ${failed} of ${count} requests of users failed\n`,
  );
}
origin.stdin.end();
await proxy.stop();
process.exit(0);
