// Retry hints of the server.
import { anyPack } from "@bufbuild/protobuf/wkt";
import { create, toBinary } from "@bufbuild/protobuf";
import { RetryInfoSchema, StatusSchema } from "@bytenite-engines/proto";
import { answer, good, refuse, script } from "../Acts.ts";
import { waitsMs, type FaultRow } from "../FaultRow.ts";
import type { Act } from "@bytenite-engines/test-kit";
import { httpDateForms } from "@bytenite-engines/test-kit/http-dates";

const httpDate = (ms: number): string => new Date(ms).toUTCString();

/** A server whose clock is 40 years behind, and asks to wait 7 s by it, in each form of RFC 9110, 5.6.7. */
const serverNow = Date.UTC(1986, 3, 26, 1, 23, 40);

const hinted = (name: string, act: Act, waitedMs: number): FaultRow => ({
  name: `429 with ${name}, then right`,
  act: script(act, good),
  hinted: true,
  expected: { ends: "data", attempts: 2, waitedMs },
});

const throttled = (headers: Readonly<Record<string, string>>): Act => refuse(429, 8, headers);

const retryInfo = (retryDelay: string): object => ({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay });

const binaryRetryInfo: Act = answer({
  status: 429,
  headers: { "Content-Type": "application/x-protobuf" },
  body: toBinary(
    StatusSchema,
    create(StatusSchema, {
      code: 8,
      message: "slow down",
      details: [anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: { seconds: 2n, nanos: 250_000_000 } }))],
    }),
  ),
});

export const hints: ReadonlyArray<FaultRow> = [
  hinted("Retry-After in seconds", throttled({ "Retry-After": "7" }), 7_000),
  ...Object.entries(httpDateForms(serverNow + 7_000)).map(([form, date]) =>
    hinted(
      `Retry-After as a date (${form}) of a clock that is wrong`,
      throttled({ "Retry-After": date, Date: httpDate(serverNow) }),
      7_000,
    ),
  ),
  hinted("Retry-After as a date that has passed", throttled({ "Retry-After": httpDate(0), Date: httpDate(9_000) }), 0),
  hinted("Grpc-Metadata-Retry-After", throttled({ "Grpc-Metadata-Retry-After": "3" }), 3_000),
  hinted("retry-after-ms", throttled({ "retry-after-ms": "1234" }), 1_234),
  hinted("RetryInfo in JSON", refuse(429, 8, {}, [retryInfo("1.500s")]), 1_500),
  hinted("RetryInfo in protobuf", binaryRetryInfo, 2_250),
  hinted("RetryInfo and Retry-After", refuse(429, 8, { "Retry-After": "9" }, [retryInfo("4s")]), 4_000),
  hinted("a hint that cannot be read", throttled({ "Retry-After": "soon" }), waitsMs(1, "throttled")),
  {
    name: "503 with a hint, then right",
    act: script(refuse(503, 14, { "Retry-After": "20" }), good),
    hinted: true,
    expected: { ends: "data", attempts: 2, waitedMs: 20_000 },
  },
  {
    name: "hints that together outlast the deadline",
    act: throttled({ "Retry-After": "12" }),
    hinted: true,
    expected: { ends: "RateLimited", attempts: 3, waitedMs: 24_000, retryAfterMs: 12_000 },
  },
  {
    name: "a hint longer than the deadline",
    act: throttled({ "Retry-After": "31" }),
    expected: { ends: "RateLimited", says: /it asks to wait 31 s/, attempts: 1, waitedMs: 0, retryAfterMs: 31_000 },
  },
  {
    name: "a hint longer than maxRetryAfterMs",
    act: throttled({ "Retry-After": "11" }),
    options: { retry: { maxRetryAfterMs: 10_000 } },
    expected: { ends: "RateLimited", attempts: 1, waitedMs: 0, retryAfterMs: 11_000 },
  },
  {
    name: "a hint of a day",
    act: throttled({ "Retry-After": "86400" }),
    expected: { ends: "RateLimited", attempts: 1, waitedMs: 0, retryAfterMs: 86_400_000 },
  },
];
