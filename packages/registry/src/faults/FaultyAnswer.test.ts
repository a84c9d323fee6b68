import { expect, test } from "vitest";
import type { Answer, RequestHead } from "../api/Answer.ts";
import type { Fault } from "./FaultRule.ts";
import { applyFault, statusAnswer } from "./FaultyAnswer.ts";

const answer: Answer = {
  status: 200,
  headers: { "Content-Type": "application/json", "Bytenite-Schema-Digest": "abc", ETag: '"1"' },
  body: "{}",
  logFields: { endpoint: "list", user: "carol" },
};

test.for<[Fault, Readonly<Record<string, string | undefined>>, string | Uint8Array]>([
  [{}, {}, "{}"],
  [{ hint: { kind: "retry-after", seconds: 1 } }, { "Retry-After": "1" }, "{}"],
  [
    {
      hint: [
        { kind: "retry-after", seconds: 1 },
        { kind: "retry-after-ms", ms: 2 },
      ],
    },
    { "Retry-After": "1", "retry-after-ms": "2" },
    "{}",
  ],
  [{ clockSkewMs: -1_000 }, { Date: "Thu, 01 Jan 1970 00:00:59 GMT" }, "{}"],
  [
    { clockSkewMs: 1_000, hint: { kind: "retry-after-date", seconds: 2, form: "imf-fixdate" } },
    { Date: "Thu, 01 Jan 1970 00:01:01 GMT", "Retry-After": "Thu, 01 Jan 1970 00:01:03 GMT" },
    "{}",
  ],
  [
    { hint: { kind: "retry-after-date", seconds: 2, form: "imf-fixdate" } },
    { "Retry-After": "Thu, 01 Jan 1970 00:01:02 GMT" },
    "{}",
  ],
  [{ schemaDigest: false }, { "Bytenite-Schema-Digest": undefined }, "{}"],
  [{ schemaDigest: true }, {}, "{}"],
  [{ schemaDigest: "x" }, { "Bytenite-Schema-Digest": "x" }, "{}"],
  [{ headers: { etag: null, A: "b" } }, { ETag: undefined, A: "b" }, "{}"],
  [{ headers: { etag: '"2"' } }, { ETag: undefined, etag: '"2"' }, "{}"],
  [{ contentType: "x/y", body: "html" }, { "Content-Type": "x/y" }, expect.stringContaining("<html>") as string],
  [{ body: "html" }, { "Content-Type": "text/html" }, expect.stringContaining("<html>") as string],
  [{ body: "empty" }, {}, ""],
  [{ body: { text: "a" } }, {}, "a"],
  [{ body: { base64: "AP8=" } }, {}, Uint8Array.of(0, 255)],
  [{ body: { bytes: 5 } }, {}, "{}"],
  // An end-group tag, and then what is neither UTF-8 nor JSON.
  [
    { body: "garbage" },
    {},
    Uint8Array.from({ length: 64 }, (_, at) => (at === 0 ? 0x0c : ([255, 254, 253, 252, 251, 250, 249][at % 7] ?? 0))),
  ],
])("%j changes its part of an answer alone", ([fault, headers, body]) => {
  const changed = applyFault(answer, fault, 60_999);
  const expected = Object.entries({ ...answer.headers, ...headers }).filter(([, value]) => value !== undefined);
  expect(changed).toEqual({ ...answer, headers: Object.fromEntries(expected), body });
});

test.for<
  [Fault & { readonly status: number }, accept: string | null, contentType: string, code: string, message: string]
>([
  [{ status: 503 }, null, "application/json", '"code":14', "fault: UNAVAILABLE"],
  [{ status: 503 }, "application/x-protobuf", "application/x-protobuf", "\b\u000e", "fault: UNAVAILABLE"],
  [{ status: 503 }, "image/png", "application/json", '"code":14', "fault: UNAVAILABLE"],
  [{ status: 503, jsonOnly: true }, "application/x-protobuf", "application/json", '"code":14', "fault: UNAVAILABLE"],
  [{ status: 429, code: "ABORTED", message: "m" }, null, "application/json", '"code":10', "m"],
])("%j with Accept: %s is a Status", ([fault, accept, contentType, code, message]) => {
  const head = { header: (name: string) => (name === "accept" ? accept : "id-1") } as unknown as RequestHead;
  const { status, headers, body, logFields } = statusAnswer(fault, head, "get");
  expect([status, headers, logFields]).toEqual([
    fault.status,
    {
      "Content-Type": contentType,
      "X-Request-Id": "id-1",
      ...(fault.jsonOnly === true ? {} : { Vary: "Accept" }),
    },
    { endpoint: "get", user: undefined },
  ]);
  const text = Buffer.from(body as string).toString("latin1");
  expect([text.includes(code), text.includes(message)]).toEqual([true, true]);
});
