// Figure: responses while the upstream is cut off or hangs.
import type { ServerResponse } from "node:http";
import type { Figure, FigureRow } from "../Figure.ts";
import { quantile } from "../Statistics.ts";
import { deployedFor, serveUpstream, startEdge } from "./EdgeStack.ts";

/** A second counts as recovered when so many of its answers are fresh. */
const recoveredShare = 0.95;

/** Options of an outage. */
export interface OutagePlan {
  /** `cut`: connections end without an answer. `hangs`: requests are accepted and not answered. */
  readonly how: "cut" | "hangs";
  /** Each user reads each engine. */
  readonly users: number;
  readonly engines: number;
  /** Engines not requested before the outage. */
  readonly unknownEngines: number;
  readonly forMs: number;
  /** Requests a second, before, during and after. */
  readonly perSecond: number;
  /** Longest watch afterwards, in milliseconds. */
  readonly watchMs: number;
  /** Settings of the Worker; all others are as deployed. */
  readonly variables: Readonly<Record<string, string>>;
}

/** An answer during the outage, or after it. */
interface Answer {
  readonly kind: string;
  /** Whether its engine was stored before. */
  readonly isStored: boolean;
  /** Since the outage began, when it was due. */
  readonly dueMs: number;
  readonly latencyMs: number;
}

/** Result of an outage. */
export interface Outage {
  readonly during: ReadonlyArray<Answer>;
  /** Requests that reached the upstream during the outage. */
  readonly attempts: number;
  /** From the end of the outage until a second of fresh answers began, in milliseconds; undefined: not before the end of the watch. */
  readonly recoveryMs: number | undefined;
}

const kindOf = (response: Response): string => {
  const cacheStatus = response.headers.get("cache-status") ?? "";
  if (response.status !== 200) {
    const error = /error=(\w+)/.exec(response.headers.get("proxy-status") ?? "")?.[1];
    return error === undefined ? `${response.status}` : `${response.status} ${error}`;
  }
  if (cacheStatus.includes("stale-if-error")) return "200 stale, the upstream fails";
  if (cacheStatus.includes("; hit; ttl=-")) return "200 stale, revalidated";
  return cacheStatus.includes("; hit") ? "200 hit" : "200 from the upstream";
};

const isFresh = (kind: string): boolean => kind === "200 hit" || kind === "200 from the upstream";

const answer = (response: ServerResponse): void => {
  response.writeHead(200, { "content-type": "application/json" }).end('{"name":"zipper"}');
};

/** Runs an outage under load; ends by itself. */
export const measureOutage = async (plan: OutagePlan): Promise<Outage> => {
  const { users, engines, unknownEngines } = plan;
  let isDown = false;
  let attempts = 0;
  const hanging: Array<ServerResponse> = [];
  const upstream = await serveUpstream((_request, response) => {
    if (isDown) attempts += 1;
    if (!isDown) answer(response);
    else if (plan.how === "cut") response.destroy();
    else hanging.push(response);
  });
  await using standalone = await startEdge({ ...deployedFor(upstream.url), LOG: "off", ...plan.variables });
  const ask = async (user: number, engine: number): Promise<string> => {
    const url = `http://127.0.0.1:${standalone.ports["edge"]}/v1/dev/engines/engine-${engine}`;
    const headers = { authorization: `user-${user}`, accept: "application/json" };
    const response = await fetch(url, { headers });
    await response.arrayBuffer();
    return kindOf(response);
  };
  for (let engine = unknownEngines; engine < engines; engine++) {
    await Promise.all(Array.from({ length: users }, (_, user) => ask(user, engine)));
  }

  const during: Array<Answer> = [];
  const after: Array<Answer> = [];
  const underWay = new Set<Promise<void>>();
  isDown = true;
  const start = performance.now();
  const send = (index: number, dueMs: number): void => {
    const engine = Math.floor(index / users) % engines;
    const timed = async (): Promise<void> => {
      const kind = await ask(index % users, engine).catch(() => "no answer");
      const latencyMs = performance.now() - start - dueMs;
      (dueMs < plan.forMs ? during : after).push({ kind, isStored: engine >= unknownEngines, dueMs, latencyMs });
    };
    const sent = timed().finally(() => underWay.delete(sent));
    underWay.add(sent);
  };
  /** Begin of the second before the last one, if enough of its answers were fresh. */
  const recovered = (nowMs: number): number | undefined => {
    const beganMs = nowMs - 2_000;
    const second = after.filter(({ dueMs }) => dueMs >= beganMs && dueMs < beganMs + 1_000);
    const fresh = second.filter(({ kind }) => isFresh(kind));
    const isGood = beganMs >= plan.forMs && fresh.length >= plan.perSecond * recoveredShare;
    return isGood ? beganMs - plan.forMs : undefined;
  };
  let recoveryMs: number | undefined;
  for (let index = 0; recoveryMs === undefined; index++) {
    const dueMs = (index * 1_000) / plan.perSecond;
    const nowMs = performance.now() - start;
    if (dueMs > nowMs) await new Promise((resolve) => setTimeout(resolve, dueMs - nowMs));
    if (isDown && dueMs >= plan.forMs) {
      isDown = false;
      for (const response of hanging) answer(response);
    }
    if (dueMs > plan.forMs + plan.watchMs) break;
    send(index, dueMs);
    if (index % plan.perSecond === 0) recoveryMs = recovered(dueMs);
  }
  await Promise.all(underWay);
  upstream.stop();
  return { during, attempts, recoveryMs };
};

const milliseconds = (values: ReadonlyArray<number>): Record<string, string> => {
  const sorted = values.toSorted((a, b) => a - b);
  return { "p50 ms": quantile(sorted, 0.5).toFixed(1), "p95 ms": quantile(sorted, 0.95).toFixed(1) };
};

const rowsOf = (plan: OutagePlan, { during, attempts, recoveryMs }: Outage): ReadonlyArray<FigureRow> => {
  const kinds = Map.groupBy(during, ({ kind }) => kind);
  const lost = during.filter(({ isStored, kind }) => isStored && !kind.startsWith("200 "));
  return [
    {
      name: `${plan.how} for ${plan.forMs / 1_000} s, ${plan.perSecond} requests a second`,
      cells: {
        answers: `${during.length}`,
        "reached the upstream": `${attempts}`,
        "recovered after, s": recoveryMs === undefined ? "not" : (recoveryMs / 1_000).toFixed(0),
      },
      promised: lost.length === 0 && recoveryMs !== undefined,
    },
    ...[...kinds]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([kind, answers]) => ({
        name: `${plan.how}: ${kind}`,
        cells: { answers: `${answers.length}`, ...milliseconds(answers.map(({ latencyMs }) => latencyMs)) },
      })),
  ];
};

export const edgeOutage: Figure = {
  name: "edge-outage",
  title: "The upstream cut off, and hanging, for a minute each, under load",
  promise: "every answer that was stored before is served, and fresh answers come back by themselves.",
  measure: async (effort) => {
    const [freshSeconds, revalidateSeconds] = effort === "quick" ? [1, 1] : [20, 10];
    const plan = {
      users: 20,
      engines: 50,
      unknownEngines: 5,
      forMs: effort === "quick" ? 4_000 : 60_000,
      perSecond: 200,
      // A resource that failed is left alone for up to a minute.
      watchMs: 75_000,
      variables: {
        GET_FRESH_SECONDS: `${freshSeconds}`,
        GET_STALE_WHILE_REVALIDATE_SECONDS: `${revalidateSeconds}`,
      },
    };
    const rows: Array<FigureRow> = [];
    for (const how of ["cut", "hangs"] as const)
      rows.push(...rowsOf({ how, ...plan }, await measureOutage({ how, ...plan })));
    return {
      columns: ["answers", "p50 ms", "p95 ms", "reached the upstream", "recovered after, s"],
      rows,
      notes: [
        `${plan.users} users read ${plan.engines} engines; ${plan.unknownEngines} of them nobody has asked for before. Fresh for ${freshSeconds} s, validated behind the answer for ${revalidateSeconds} s more.`,
        `Recovered: from the end of the outage until a second began with ${recoveredShare * 100} % fresh answers.`,
      ],
    };
  },
};
