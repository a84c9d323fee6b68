// Figure: memory of the process while large answers pass.
import { readFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { cacheBackend, startWorkerd } from "@bytenite-engines/test-kit";
import type { Figure, FigureRow } from "../Figure.ts";
import { builtWorker, listPath, serveUpstream } from "./EdgeStack.ts";
import { residentMibOf } from "../../parts/Footprint.ts";

const mib = 2 ** 20;
/** Most that the process may grow by while eight are under way, in MiB: the isolate is ended at 128. */
const maxGrowthMib = 100;
/** Duration of watching the process after the last answer, in milliseconds. */
const afterMs = 1_000;

/** Passes the body on: the memory of the runtime itself. */
const passesOn = `export default { fetch: (request, env) => fetch(env.UPSTREAM_URL + "/engines", { headers: request.headers }) };`;

/** Memory of the process, in MiB. */
export interface LargeBodies {
  readonly beforeMib: number;
  readonly peakMib: number;
  readonly afterMib: number;
  /** Answers that had all of their bytes. */
  readonly whole: number;
}

/** Reads a body, with a pause after each chunk. */
const lengthOf = async (chunks: AsyncIterable<Buffer>, pauseMs: number): Promise<number> => {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (pauseMs > 0) await wait(pauseMs);
  }
  return length;
};

/** So many answers of so many bytes at once, read at once or, where `pauseMs` is given, with pauses. */
export const measureLargeBodies = async (
  script: string,
  count: number,
  bytes: number,
  pauseMs = 0,
): Promise<LargeBodies> => {
  const frame = '{"engines":[{"description":""}]}';
  const body = Buffer.from(frame.replace('""', `"${"a".repeat(bytes - frame.length)}"`));
  const upstream = await serveUpstream((_request, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
  });
  await using standalone = await startWorkerd([
    { name: "cache", script: cacheBackend },
    { name: "edge", script, cache: "cache", variables: { UPSTREAM_URL: upstream.url, LOG: "off" } },
  ]);
  const get = (index: number): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const options = { headers: { authorization: `user-${index}`, accept: "application/json" } };
      const url = `http://127.0.0.1:${standalone.ports["edge"]}${listPath}`;
      httpRequest(
        url,
        options,
        (response) => void lengthOf(response, pauseMs).then((length) => resolve(length === bytes), reject),
      )
        .once("error", reject)
        .end();
    });
  const beforeMib = residentMibOf(standalone.pid);
  let peakMib = beforeMib;
  const look = (): number => {
    const now = residentMibOf(standalone.pid);
    peakMib = Math.max(peakMib, now);
    return now;
  };
  const looking = setInterval(look, 5);
  const results = await Promise.all(Array.from({ length: count }, (_, index) => get(index)));
  await wait(afterMs);
  clearInterval(looking);
  const afterMib = look();
  upstream.stop();
  return { beforeMib, peakMib, afterMib, whole: results.filter(Boolean).length };
};

export const edgeLargeBodies: Figure = {
  name: "edge-large-bodies",
  title: "Answers of 15 MiB",
  promise: `complete; the process grows by less than ${maxGrowthMib} MiB, also with eight at once whose clients read slowly.`,
  measure: async () => {
    const edge = await readFile(builtWorker, "utf8");
    const rows: Array<FigureRow> = [];
    for (const [contender, script] of [
      ["edge proxy", edge],
      ["workerd, passes the body on", passesOn],
    ] as const) {
      for (const [load, count, pauseMs] of [
        ["one", 1, 0],
        ["eight at once", 8, 0],
        ["eight at once, read slowly", 8, 4],
      ] as const) {
        const { beforeMib, peakMib, afterMib, whole } = await measureLargeBodies(script, count, 15 * mib, pauseMs);
        rows.push({
          name: `${contender}: ${load}`,
          cells: {
            complete: `${whole}`,
            "before, MiB": beforeMib.toFixed(0),
            "peak, MiB": peakMib.toFixed(0),
            "after, MiB": afterMib.toFixed(0),
          },
          ...(script === edge ? { promised: whole === count && peakMib - beforeMib < maxGrowthMib } : {}),
        });
      }
    }
    return {
      columns: ["complete", "before, MiB", "peak, MiB", "after, MiB"],
      rows,
      notes: ["Resident set of the workerd process."],
    };
  },
};
