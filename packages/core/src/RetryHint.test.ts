import { create, toBinary } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RetryInfoSchema } from "@bytenite-engines/proto";
import { httpDateForms } from "@bytenite-engines/test-kit/http-dates";
import type { ErrorDetail } from "./EngineError.ts";
import { binaryErrors } from "./BinaryErrors.ts";
import { defaultReadLimits } from "./ReadLimits.ts";
import { retryAfterMs, retryHintMs } from "./RetryHint.ts";

const now = Date.UTC(2026, 10, 24, 8, 0, 0);
const headers = (values: Record<string, string>): Headers => new Headers(values);
const retryInfo = (seconds: bigint, nanos = 0): ErrorDetail => ({
  type: "google.rpc.RetryInfo",
  binary: toBinary(
    RetryInfoSchema,
    create(RetryInfoSchema, { retryDelay: create(DurationSchema, { seconds, nanos }) }),
  ),
});
const retryInfoJson = (retryDelay: string): ErrorDetail => ({ type: "google.rpc.RetryInfo", json: { retryDelay } });

const seconds = fc.integer({ min: Date.UTC(1980, 0) / 1000, max: Date.UTC(2070, 0) / 1000 });

test("a date is compared with the server's own clock, however wrong that is", () => {
  const wait = fc.integer({ min: 0, max: 100_000 });
  fc.assert(
    fc.property(seconds, wait, fc.constantFrom("imf-fixdate", "rfc850", "asctime"), (serverNow, wait, form) => {
      const until = httpDateForms((serverNow + wait) * 1000)[form];
      expect(retryAfterMs(until, httpDateForms(serverNow * 1000)["imf-fixdate"], now)).toBe(wait * 1000);
    }),
  );
});

test("without the server's Date, our own clock has to do", () => {
  expect(retryAfterMs(httpDateForms(now + 5_000)["imf-fixdate"], null, now)).toBe(5_000);
  expect(retryAfterMs(httpDateForms(now + 5_000)["imf-fixdate"], "yesterday", now)).toBe(5_000);
  expect(retryAfterMs(httpDateForms(now - 5_000).asctime, null, now)).toBe(0);
});

test("white space around a value or the Date says nothing", () => {
  const raw = { get: (name: string) => (name === "retry-after-ms" ? " 7 " : null) };
  expect(retryHintMs(raw, [], now)).toBe(7);
  expect(retryAfterMs(" 7 ", null, now)).toBe(7_000);
  const { "imf-fixdate": serverNow } = httpDateForms(now - 60_000);
  expect(retryAfterMs(` ${httpDateForms(now)["imf-fixdate"]} `, ` ${serverNow} `, now)).toBe(60_000);
});

test.for([
  "",
  "soon",
  "-1",
  "1e3",
  "Sun, 06 Nov 1994 08:49:37",
  "Sun, 06 Nov 1994 08:49:37 UTC",
  "Sun, 6 Nov 1994 08:49:37 GMT",
  "Sun, 06 Foo 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 24:00:00 GMT",
  "Sun, 31 Feb 1994 08:49:37 GMT",
  "Sun, 00 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 08:60:00 GMT",
  "Sun, 06 Nov 1994 08:49:61 GMT",
  "Sun, 06 Nov 1994 08:49:37 GMTx",
  "xSun, 06 Nov 1994 08:49:37 GMT",
  "xSunday, 06-Nov-94 08:49:37 GMT",
  "Sunday, 06-Nov-94 08:49:37 GMTx",
  "xSun Nov  6 08:49:37 1994",
  "Sun Nov  6 08:49:37 1994x",
  "Sun Nov  6 08:49:37 0094",
  "Sun Nov 99 08:49:37 1994",
  "1994-11-06T08:49:37Z",
])("Retry-After %j is not a hint", (value) => {
  expect(retryAfterMs(value, null, now)).toBeUndefined();
});

test.for<[values: Record<string, string>, details: ReadonlyArray<ErrorDetail>, hintMs: number | undefined]>([
  [{}, [], undefined],
  [{ "retry-after": "7" }, [], 7_000],
  [{ "retry-after": "17" }, [], 17_000],
  [{ "retry-after": "0.25" }, [], 250],
  [{ "retry-after": "2.007" }, [], 2_007],
  [{ "retry-after": "0" }, [], 0],
  [{ "retry-after": "90000" }, [], 90_000_000],
  [{ "retry-after": "9".repeat(30) }, [], 2_147_483_648_000],
  [{ "retry-after-ms": "9".repeat(30) }, [], 2_147_483_648_000],
  [{}, [retryInfo(9_000_000_000_000n)], 2_147_483_648_000],
  [{ "retry-after-ms": "1200" }, [], 1_200],
  [{ "retry-after-ms": "0.5" }, [], 1],
  [{ "retry-after-ms": "0.25" }, [], 1],
  [{ "retry-after-ms": "5x" }, [], undefined],
  [{ "retry-after-ms": "x5" }, [], undefined],
  [{ "retry-after-ms": "x", "retry-after": "2" }, [], 2_000],
  [{ "retry-after-ms": "3", "retry-after": "2" }, [], 3],
  [{ "grpc-metadata-retry-after": "4" }, [], 4_000],
  [{ "grpc-metadata-retry-after": "4", "retry-after": "2" }, [], 2_000],
  [{ "retry-after": "2" }, [retryInfo(9n)], 9_000],
  [{}, [retryInfo(1n, 1)], 1_001],
  [{}, [retryInfo(0n, 500_000_000)], 500],
  [{}, [retryInfo(-5n)], 0],
  [{}, [retryInfoJson("1.5s")], 1_500],
  [{}, [retryInfoJson("2.007s")], 2_007],
  [{}, [retryInfoJson("0.000000001s")], 1],
  [{}, [retryInfoJson("5m")], undefined],
  [{}, [retryInfoJson("-1s")], undefined],
  [{}, [retryInfoJson("1sx")], undefined],
  [{}, [retryInfoJson("5m"), retryInfoJson("2s")], 2_000],
  [{}, [{ type: "google.rpc.RetryInfo", json: { retryDelay: ["1s"] } }], undefined],
  [{}, [{ type: "google.rpc.RetryInfo" }], undefined],
  [{}, [{ type: "google.rpc.RetryInfo", json: {} }], undefined],
  [{}, [{ type: "google.rpc.RetryInfo", binary: new Uint8Array([0x0a, 0x7f]) }], undefined],
  // A number where the delay belongs; seconds, and nanoseconds, as text.
  [{}, [{ type: "google.rpc.RetryInfo", binary: new Uint8Array([0x08, 0x05]) }], undefined],
  [{}, [{ type: "google.rpc.RetryInfo", binary: new Uint8Array([0x0a, 0x03, 0x0a, 0x01, 0x78]) }], undefined],
  [{}, [{ type: "google.rpc.RetryInfo", binary: new Uint8Array([0x0a, 0x03, 0x12, 0x01, 0x78]) }], undefined],
  // A field that we do not know, of four bytes, before the delay.
  [{}, [{ type: "google.rpc.RetryInfo", binary: new Uint8Array([0x1d, 0, 0, 0, 0, 0x0a, 0x02, 0x08, 0x05]) }], 5_000],
  [{}, [{ type: "google.rpc.ErrorInfo", json: { retryDelay: "1s" } }, retryInfoJson("2s")], 2_000],
])("headers %j with details %j ask for %s ms", ([values, details, hintMs]) => {
  expect(retryHintMs(headers(values), details, now, binaryErrors.delayMs)).toBe(hintMs);
});

test("of a RetryInfo with more fields than an answer may have no hint is taken, and the error stays", () => {
  const binary = new Uint8Array(2 * (defaultReadLimits.maxItems + 1)).map((_, at) => (at % 2 === 0 ? 0x18 : 0));
  // Without a reader of protobuf it counts as absent.
  expect(retryHintMs(headers({}), [{ type: "google.rpc.RetryInfo", binary }], now)).toBeUndefined();
  expect(retryHintMs(headers({}), [{ type: "google.rpc.RetryInfo", binary }], now, binaryErrors.delayMs)).toBe(
    undefined,
  );
});

test("a hint is never shortened, and lengthened by less than a millisecond, in both forms", () => {
  const delays = fc.tuple(fc.bigInt({ min: 0n, max: 100_000n }), fc.integer({ min: 0, max: 999_999_999 }));
  fc.assert(
    fc.property(delays, ([whole, nanos]) => {
      const exactNanos = whole * 1_000_000_000n + BigInt(nanos);
      const text = `${whole}.${String(nanos).padStart(9, "0")}s`;
      for (const detail of [retryInfo(whole, nanos), retryInfoJson(text)]) {
        const heldNanos = BigInt(retryHintMs(headers({}), [detail], now, binaryErrors.delayMs) ?? -1) * 1_000_000n;
        expect(heldNanos >= exactNanos && heldNanos - exactNanos < 1_000_000n).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});
