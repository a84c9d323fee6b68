// `node scripts/large-answer.ts`: memory of workerd for answers of 15 MiB (Linux).
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { cacheBackend, close, listen, startWorkerd } from "@bytenite-engines/test-kit";
import { builtWorker } from "./built.ts";

const answerMib = 15;
const frame = '{"engines":[{"description":""}]}';
const body = frame.replace('""', `"${"a".repeat(answerMib * 1024 * 1024 - frame.length)}"`);
const upstream = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
});
const upstreamUrl = await listen(upstream);

/** Passes everything on: what the runtime itself takes. */
const passing = `export default { fetch: (request) => fetch("${upstreamUrl}" + new URL(request.url).pathname) };`;

/** The most that a process has had in memory, or has now, in MiB. */
const memoryMib = async (pid: number, field: "VmHWM" | "VmRSS"): Promise<number> =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

const measure = async (name: string, script: string, answers: number): Promise<void> => {
  const variables = { UPSTREAM_URL: `${upstreamUrl}/v1/dev`, LOG: "off" };
  await using running = await startWorkerd([
    { name: "cache", script: cacheBackend },
    { name: "edge", script, cache: "cache", variables },
  ]);
  const ask = async (token: string): Promise<void> => {
    const url = `http://127.0.0.1:${running.ports["edge"] ?? 0}/v1/dev/engines`;
    const response = await fetch(url, { headers: { accept: "application/json", authorization: token } });
    const { byteLength } = await response.arrayBuffer();
    if (byteLength !== body.length) throw new Error(`${response.status} with ${byteLength} bytes`);
  };
  const beforeMib = await memoryMib(running.pid, "VmRSS");
  await Promise.all(Array.from({ length: answers }, (_, index) => ask(`token-${index}`)));
  const mostMib = await memoryMib(running.pid, "VmHWM");
  const grown = (mostMib - beforeMib).toFixed(0);
  process.stdout.write(`${name}, ${answers} at once: ${beforeMib.toFixed(0)} MiB and at most ${grown} more\n`);
};

for (const answers of [1, 8]) {
  await measure("proxy", await builtWorker(), answers);
  await measure("passing on alone", passing, answers);
}
await close(upstream);
