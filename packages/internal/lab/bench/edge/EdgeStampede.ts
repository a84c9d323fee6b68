// Figure: upstream requests for a thousand identical concurrent ones.
import type { Figure, FigureRow } from "../Figure.ts";
import { listOf, serveUpstream, startEdge } from "./EdgeStack.ts";
import { bodyOf, Connection } from "./Load.ts";

/** Latency of the upstream, in milliseconds: all requests arrive before its first answer. */
const upstreamMs = 200;

const body = '{"engines":[]}';

/** Result of a stampede. */
export interface Stampede {
  readonly name: string;
  /** Answers with status 200 and the body of the upstream. */
  readonly good: number;
  readonly upstreamRequests: number;
  /** Upstream requests before the first answer to one. */
  readonly beforeAnswer: number;
  readonly mostAtOnce: number;
  readonly tookMs: number;
}

/**
 * So many requests at once for one list of a token; then for one that must not be stored, twice; then for that of many tokens. What
 * must not be stored and need not be learned is answered first when `together` requests for it have arrived.
 */
export const measureStampedes = async (requests: number, together = 1): Promise<ReadonlyArray<Stampede>> => {
  let asked = 0;
  let atOnce = 0;
  let mostAtOnce = 0;
  let beforeAnswer = 0;
  /** Answers that wait for others, and how many the next ones wait for. */
  const held: Array<() => void> = [];
  const heldUntil: Array<number> = [];
  const upstream = await serveUpstream((request, response) => {
    asked += 1;
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    response.once("close", () => (atOnce -= 1));
    const isPrivate = request.headers.authorization?.startsWith("private") === true;
    const fields = { "content-type": "application/json", ...(isPrivate ? { "cache-control": "no-store" } : {}) };
    setTimeout(() => {
      held.push(() => response.writeHead(200, fields).end(body));
      if (held.length < (heldUntil[0] ?? 1)) return;
      heldUntil.shift();
      beforeAnswer ||= asked;
      for (const answer of held.splice(0)) answer();
    }, upstreamMs);
  });
  // Who waits for a place waits as long as this takes on a slow machine, and nothing is asked for again.
  const patient = { ATTEMPT_TIMEOUT_MS: "60000", DEADLINE_MS: "60000" };
  await using standalone = await startEdge({ UPSTREAM_URL: upstream.url, LOG: "off", ...patient });
  const port = standalone.ports["edge"] ?? 0;
  const stampede = async (
    name: string,
    token: (index: number) => string,
    ...until: ReadonlyArray<number>
  ): Promise<Stampede> => {
    [asked, mostAtOnce, beforeAnswer] = [0, 0, 0];
    heldUntil.push(...until);
    // New connections: workerd closes idle ones after 5 s.
    const connections = await Connection.openMany(port, requests, bodyOf(Buffer.from(body)));
    const start = performance.now();
    const answers = await Promise.allSettled(connections.map((each, index) => each.send(listOf(token(index)))));
    const tookMs = performance.now() - start;
    for (const connection of connections) connection.close();
    const good = answers.filter(({ status }) => status === "fulfilled").length;
    return { name, good, upstreamRequests: asked, beforeAnswer, mostAtOnce, tookMs };
  };
  // Tokens that the upstream has not accepted yet share few places.
  const users = Array.from({ length: 20 }, (_, index) => `private-${index}`);
  const first = await Connection.open(port);
  for (const user of users) await first.send(listOf(user, "?pagination.limit=1"));
  first.close();
  // The first of these users is known to get what must not be stored; of each other one, all wait for one answer.
  const untilLearned = users.length - 1 + requests / users.length;
  const results = [
    await stampede("cacheable, one token", () => "one"),
    await stampede("no-store, one token", () => "private-0", 1, together),
    await stampede("no-store, one token, again", () => "private-0", together),
    await stampede(
      "no-store, 20 tokens",
      (index) => users[index % users.length] ?? "",
      Math.min(untilLearned, together),
      together,
    ),
  ];
  upstream.stop();
  return results;
};

export const edgeStampede: Figure = {
  name: "edge-stampede",
  title: "A thousand requests for one key at once",
  promise: "cacheable: one request to the upstream. Not cacheable: all are answered, side by side.",
  measure: async () => {
    const requests = 1_000;
    const stampedes = await measureStampedes(requests);
    return {
      columns: ["answered 200", "upstream requests", "before its first answer", "most at once", "took ms"],
      rows: stampedes.map(({ name, good, upstreamRequests, beforeAnswer, mostAtOnce, tookMs }): FigureRow => ({
        name,
        cells: {
          "answered 200": `${good}`,
          "upstream requests": `${upstreamRequests}`,
          "before its first answer": `${beforeAnswer}`,
          "most at once": `${mostAtOnce}`,
          "took ms": tookMs.toFixed(0),
        },
        promised:
          good === requests &&
          (name.startsWith("cacheable") ? upstreamRequests === 1 : upstreamRequests <= requests && mostAtOnce > 1),
      })),
      notes: [
        `The upstream takes ${upstreamMs} ms for each answer.`,
        "The first stampede of what is not cacheable waits for one answer; the second does not.",
      ],
    };
  },
};
