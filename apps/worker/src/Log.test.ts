import { expect, test } from "vitest";
import { createMetrics, isLogged, logLine, traceIdOf, type Received, type RequestOutcome, type Result } from "./Log.ts";

const received: Received = {
  request: Object.assign(new Request("https://edge.example"), { cf: { colo: "ZRH" } }),
  method: "GET",
  headers: new Headers({
    authorization: "the-token",
    "cf-connecting-ip": "192.0.2.7",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  }),
  target: "/v1/dev/engines?pagination.limit=1&key=the-token",
  startedAtMs: 1_000,
};
const outcomeOf = (status: number, result: Result): RequestOutcome => ({
  response: new Response("{}", { status, headers: { "content-type": "application/json" } }),
  result,
  route: { endpoint: "list", target: "/engines?pagination.limit=1" },
  bytes: 2,
  upstream: { status: 200, attempts: 1, durationMs: 20 },
});

test("a line has what happened, the request's id and trace, and nothing of the token", () => {
  const line = logLine(received, outcomeOf(200, "hit"), "r-1", 25);
  expect(JSON.parse(line)).toEqual({
    time: "1970-01-01T00:00:01.025Z",
    level: "info",
    message: "GET 200 hit",
    method: "GET",
    target: "/v1/dev/engines?pagination.limit=1",
    status: 200,
    result: "hit",
    endpoint: "list",
    mediaType: "application/json",
    bytes: 2,
    durationMs: 25,
    client: "192.0.2.7",
    colo: "ZRH",
    upstream: { status: 200, attempts: 1, durationMs: 20 },
    requestId: "r-1",
    traceId: "0af7651916cd43dd8448eb211c80319c",
  });
  expect(line).not.toContain("the-token");
});

test("of a target that was not understood no query is written down: a token may be in it", () => {
  const other = { endpoint: "other", target: "/v2/engines?key=the-token" } as const;
  for (const route of [undefined, other]) {
    const line = logLine({ ...received, target: other.target }, { ...outcomeOf(404, "refused"), route }, "r-1", 25);
    expect(JSON.parse(line)).toMatchObject({ target: "/v2/engines" });
    expect(line).not.toContain("the-token");
  }
  const long = logLine(
    { ...received, target: `/${"x".repeat(300)}` },
    { ...outcomeOf(404, "refused"), route: undefined },
    "r-1",
    25,
  );
  expect(JSON.parse(long)).toMatchObject({ target: `/${"x".repeat(299)}` });
});

test.each([
  ["all", 200, "hit", true],
  ["errors", 200, "hit", false],
  ["errors", 404, "miss", false],
  ["errors", 499, "miss", false],
  ["errors", 500, "miss", true],
  ["errors", 200, "stale-if-error", true],
  ["off", 503, "miss", false],
] as const)("with the level %s an answer %i, %s, is logged: %s", (level, status, result, expected) => {
  expect(isLogged(level, result, status)).toBe(expected);
  expect(JSON.parse(logLine(received, outcomeOf(status, result), "r-1", 25))).toMatchObject({
    level: status === 500 || status === 503 || result === "stale-if-error" ? "error" : "info",
  });
});

test("a malformed traceparent gives no trace id", () => {
  expect(traceIdOf("00-zz-b7ad6b7169203331-01")).toBeUndefined();
});

test("the metrics of four answers, in Prometheus text", () => {
  const metrics = createMetrics();
  metrics.observe(outcomeOf(200, "hit"), 200, 0);
  metrics.observe(outcomeOf(200, "hit"), 200, 1_000);
  metrics.observe(outcomeOf(200, "hit"), 200, 1_001);
  metrics.observe(outcomeOf(200, "hit"), 200, 40_000);
  metrics.count("upstream_probes_total", "", 2);
  metrics.count("upstream_probes_total");
  const samples = metrics.text([["entries", "Stored entries.", 7]]).replaceAll("bytenite_edge_", "");
  const values = samples.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const bucketsOfHits = ["0.001", "0.005", "0.025", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "+Inf"].map(
    (bound, index) =>
      `request_seconds_bucket{result="hit",le="${bound}"} ${index < 6 ? 1 : index < 7 ? 2 : index < 11 ? 3 : 4}`,
  );
  expect(values).toEqual([
    'requests_total{endpoint="list",result="hit",status="200"} 4',
    "response_bytes_total 8",
    "upstream_probes_total 3",
    ...bucketsOfHits,
    'request_seconds_sum{result="hit"} 42.001',
    'request_seconds_count{result="hit"} 4',
    "entries 7",
  ]);
  expect(samples).toContain("# HELP entries Stored entries.\n# TYPE entries gauge\n");
});
