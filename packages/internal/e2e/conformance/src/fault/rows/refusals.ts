// The server answers, and refuses.
import { answer, good, refuse, script } from "../Acts.ts";
import { fourTimes, once, twice, waitsMs, type FaultRow } from "../FaultRow.ts";
import type { Act } from "@bytenite-engines/test-kit";

const fourThrottled = { attempts: 4, waitedMs: waitsMs(3, "throttled") } as const;

const page =
  (status: number, body = "<html><h1>502 Bad Gateway</h1></html>"): Act =>
  (socket, arrived, count) =>
    answer({ status, headers: { "Content-Type": "text/html" }, body })(socket, arrived, count);

export const refusals: ReadonlyArray<FaultRow> = [
  { name: "400", act: refuse(400, 3), expected: { ends: "InvalidArgument", says: /400 INVALID_ARGUMENT/, ...once } },
  {
    name: "401 to a token that cannot be renewed",
    act: refuse(401, 16),
    expected: { ends: "Unauthenticated", ...once },
  },
  { name: "403", act: refuse(403, 7), expected: { ends: "PermissionDenied", ...once } },
  { name: "404", act: refuse(404, 5), expected: { ends: "NotFound", ...once } },
  { name: "404 without a word", act: answer({ status: 404 }), expected: { ends: "NotFound", ...once } },
  { name: "409", act: refuse(409, 10), expected: { ends: "Conflict", ...once } },
  { name: "501", act: refuse(501, 12), expected: { ends: "Unimplemented", ...once } },
  { name: "500 with DATA_LOSS", act: refuse(500, 15), expected: { ends: "DataLoss", ...once } },
  { name: "503 whose body says NOT_FOUND", act: refuse(503, 5), expected: { ends: "NotFound", ...once } },
  {
    name: "500 whose body says RESOURCE_EXHAUSTED",
    act: refuse(500, 8),
    expected: { ends: "RateLimited", ...fourThrottled },
  },
  { name: "408 without end", act: page(408), expected: { ends: "Unavailable", ...fourTimes } },
  { name: "500 without end", act: refuse(500, 13), expected: { ends: "Unavailable", ...fourTimes } },
  {
    name: "502 with an HTML page",
    act: page(502),
    expected: { ends: "Unavailable", says: /502 UNAVAILABLE/, ...fourTimes },
  },
  { name: "503 with an empty body", act: page(503, ""), expected: { ends: "Unavailable", ...fourTimes } },
  { name: "a storm of 503", act: refuse(503, 14), expected: { ends: "Unavailable", ...fourTimes } },
  {
    name: "503 three times, then right",
    act: script(refuse(503, 14), page(502), refuse(503, 14), good),
    expected: { ends: "data", ...fourTimes },
  },
  { name: "504 without end", act: refuse(504, 4), expected: { ends: "Unavailable", ...fourTimes } },
  { name: "429 without a hint", act: refuse(429, 8), expected: { ends: "RateLimited", ...fourThrottled } },
  {
    name: "429 once, then 503 once, then right",
    act: script(refuse(429, 8), refuse(503, 14), good),
    expected: { ends: "data", attempts: 3, waitedMs: waitsMs(1, "throttled") + waitsMs(2) - waitsMs(1) },
  },
  {
    name: "an empty retry budget",
    act: refuse(503, 14),
    options: { retryBudget: 20 },
    // 14 tokens for the first retry; 6 do not pay for another one.
    expected: { ends: "Unavailable", ...twice },
  },
];
