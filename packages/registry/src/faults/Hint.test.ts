import { expect, test } from "vitest";
import { hintHeaders, retryInfoMs } from "./Hint.ts";

// The example of RFC 9110, 5.6.7, in its three forms.
const example = Date.UTC(1994, 10, 6, 8, 49, 37);

test.for([
  ["imf-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT"],
  ["rfc850", "Sunday, 06-Nov-94 08:49:37 GMT"],
  ["asctime", "Sun Nov  6 08:49:37 1994"],
] as const)("the form %s is written as the RFC writes it", ([form, text]) => {
  const hint = { kind: "retry-after-date", seconds: 3_637, form } as const;
  expect(hintHeaders([hint], example - 3_637_000)).toEqual({ "Retry-After": text });
});

test("several hints go out together, and RetryInfo in the body alone", () => {
  const hints = [
    { kind: "retry-after", seconds: 1 },
    { kind: "grpc-metadata-retry-after", seconds: 2 },
    { kind: "retry-after-ms", ms: 3 },
    { kind: "retry-info", ms: 4 },
  ] as const;
  expect(hintHeaders(hints, 0)).toEqual({
    "Retry-After": "1",
    "Grpc-Metadata-Retry-After": "2",
    "retry-after-ms": "3",
  });
  expect(retryInfoMs(hints)).toBe(4);
  expect(retryInfoMs(hints.slice(0, 3))).toBeUndefined();
});
