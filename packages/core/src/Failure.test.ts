import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RetryInfoSchema, StatusSchema } from "@bytenite-engines/proto";
import { binaryErrors } from "./BinaryErrors.ts";
import { EngineError, type EngineErrorReason, type EngineErrorTag } from "./EngineError.ts";
import { defaultReadLimits } from "./ReadLimits.ts";
import { AttemptFailure, failureOf, maxServerMessageLength, wasNotProcessed } from "./Failure.ts";
import { retryClassOf, type RetryClass } from "./Retry.ts";
import { rpcCodes, type RpcCode } from "./RpcCode.ts";

const now = Date.UTC(2026, 10, 24);
const url = "http://user:pass@127.0.0.1:4010/v1/dev/engines?orderBy=x#f";
const utf8 = new TextEncoder();

const answer = (
  status: number,
  body: string | Uint8Array,
  contentType?: string,
  headers: Record<string, string> = {},
) => ({
  url,
  status,
  headers: new Headers({ ...headers, ...(contentType === undefined ? {} : { "content-type": contentType }) }),
  bytes: new Uint8Array(typeof body === "string" ? utf8.encode(body) : body),
});

const json = (code: RpcCode | number, message = "said"): string =>
  JSON.stringify({ code: typeof code === "number" ? code : rpcCodes[code], message, details: [] });

test.for<[status: number, code: RpcCode | undefined, tag: EngineErrorTag, retry: RetryClass]>([
  [400, undefined, "InvalidArgument", "final"],
  [400, "FAILED_PRECONDITION", "InvalidArgument", "final"],
  [400, "OUT_OF_RANGE", "InvalidArgument", "final"],
  [401, undefined, "Unauthenticated", "final"],
  [403, undefined, "PermissionDenied", "final"],
  [404, undefined, "NotFound", "final"],
  [404, "UNAVAILABLE", "Unavailable", "transient"],
  [405, undefined, "Unimplemented", "final"],
  [408, undefined, "Unavailable", "transient"],
  [409, undefined, "Conflict", "final"],
  [409, "ALREADY_EXISTS", "Conflict", "final"],
  [410, undefined, "Rejected", "final"],
  [429, undefined, "RateLimited", "throttled"],
  [429, "UNAVAILABLE", "Unavailable", "transient"],
  [499, undefined, "Rejected", "final"],
  [500, undefined, "Unavailable", "transient"],
  [500, "UNKNOWN", "Unavailable", "transient"],
  [500, "INTERNAL", "Unavailable", "transient"],
  [500, "DATA_LOSS", "DataLoss", "final"],
  [500, "RESOURCE_EXHAUSTED", "RateLimited", "throttled"],
  [501, undefined, "Unimplemented", "final"],
  [502, undefined, "Unavailable", "transient"],
  [503, undefined, "Unavailable", "transient"],
  [503, "NOT_FOUND", "NotFound", "final"],
  [504, undefined, "Unavailable", "transient"],
  [504, "DEADLINE_EXCEEDED", "Unavailable", "transient"],
  [499, "DEADLINE_EXCEEDED", "Rejected", "final"],
  [499, "INTERNAL", "Rejected", "final"],
  [400, "UNKNOWN", "Rejected", "final"],
  [407, "UNKNOWN", "Rejected", "final"],
  [408, "UNKNOWN", "Unavailable", "transient"],
  [428, "UNKNOWN", "Rejected", "final"],
  [429, "INTERNAL", "Unavailable", "transient"],
  [299, "FAILED_PRECONDITION", "InvalidArgument", "final"],
  [300, "FAILED_PRECONDITION", "Rejected", "final"],
  [401, "FAILED_PRECONDITION", "Rejected", "final"],
  [412, "FAILED_PRECONDITION", "Conflict", "final"],
  [412, "UNAVAILABLE", "Conflict", "final"],
  [409, "ABORTED", "Conflict", "final"],
  [400, "UNIMPLEMENTED", "Unimplemented", "final"],
  [403, "CANCELLED", "Rejected", "final"],
])("HTTP %d with the code %s is %s and counts as %s", ([status, code, tag, retry]) => {
  const { error } = failureOf(answer(status, code === undefined ? "" : json(code), "application/json"), now);
  expect(error.reason._tag).toBe(tag);
  expect(retryClassOf(error.reason)).toBe(retry);
  expect(error.status).toBe(status);
});

const packed = toBinary(
  StatusSchema,
  create(StatusSchema, {
    code: rpcCodes.UNAVAILABLE,
    message: "down",
    details: [anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: { seconds: 3n } }))],
  }),
);

test.for<[label: string, status: number, body: string | Uint8Array, contentType: string | undefined]>([
  ["protobuf", 503, packed, "application/x-protobuf"],
  ["protobuf named octet-stream", 503, packed, "application/octet-stream"],
  ["protobuf named JSON", 503, packed, "application/json"],
  [
    "JSON",
    503,
    '{"code":14,"message":"down","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"}]}',
    "application/json",
  ],
  [
    "JSON named protobuf",
    503,
    '{"code":14,"message":"down","details":[7,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"}]}',
    "application/x-protobuf",
  ],
  [
    "JSON without a label, with a type nobody registered before it",
    503,
    '{"code":14,"message":"down","details":[{"@type":"x/y.Z"},{"@type":"t/google.rpc.RetryInfo","retryDelay":"3s"}]}',
    undefined,
  ],
])("a Status is read from %s", ([, status, body, contentType]) => {
  const { error, hintMs } = failureOf(answer(status, body, contentType), now, [], undefined, binaryErrors);
  expect(error).toMatchObject({ code: "UNAVAILABLE", serverMessage: "down" });
  expect(error.reason).toEqual({ _tag: "Unavailable", retryAfterMs: 3_000 });
  expect(hintMs).toBe(3_000);
});

test.for<[body: string, contentType: string]>([
  ["<html><h1>502 Bad Gateway</h1></html>", "text/html"],
  ["upstream connect error", "text/plain"],
  ["", "application/json"],
  ["{", "application/json"],
  ["[]", "application/json"],
  ["null", "application/json"],
  ['{"code":"x","message":7,"details":"none"}', "application/json"],
  ['{"code":0}', "application/json"],
  ['{"code":502}', "application/json"],
  ["\u0001\u0002", "application/x-protobuf"],
])("the body %j is ignored, the status counts", ([body, contentType]) => {
  const { error } = failureOf(answer(502, body, contentType), now);
  expect(error.code).toBe("UNAVAILABLE");
  expect(error.serverMessage).toBeUndefined();
  expect(error.details).toEqual([]);
});

test("the second envelope of the API is read, too", () => {
  const body = {
    ok: false,
    requestId: "r-1",
    message: "outer",
    error: { code: 5, message: "inner", description: "text" },
  };
  const { error } = failureOf(answer(404, JSON.stringify(body), "application/json"), now);
  expect(error).toMatchObject({ code: "NOT_FOUND", serverMessage: "text", requestId: "r-1" });
});

test.for<[body: object, said: object]>([
  [
    { code: "5", message: " m " },
    { code: "NOT_FOUND", serverMessage: "m" },
  ],
  [
    { code: "not_found", message: "m".repeat(1_001) },
    { code: "NOT_FOUND", serverMessage: "m".repeat(1_000) },
  ],
  [
    { code: 0, status: "NOT_FOUND", requestId: "r" },
    { code: "UNAVAILABLE", requestId: undefined },
  ],
  [{ code: "OK" }, { code: "UNAVAILABLE" }],
  [{ code: "NOTHING" }, { code: "UNAVAILABLE" }],
  [{ description: "d", message: "m" }, { serverMessage: "m" }],
  [{ error: { code: 404, status: "NOT_FOUND", message: "m" } }, { code: "NOT_FOUND", serverMessage: "m" }],
  [
    { error: { code: 7, status: "NOT_FOUND" }, message: "m" },
    { code: "PERMISSION_DENIED", serverMessage: "m" },
  ],
  [
    { error: null, requestId: "r", message: "m", code: 5 },
    { code: "UNAVAILABLE", requestId: "r", serverMessage: "m" },
  ],
  [
    { error: "text", code: 5 },
    { code: "NOT_FOUND", serverMessage: undefined },
  ],
  [{ error: { code: 5, details: [{ "@type": "a/b.C", x: 1 }] } }, { details: [{ type: "b.C", json: { x: 1 } }] }],
  [{ details: [null, [], { "@type": 1 }, { "@type": "C" }] }, { details: [{ type: "C", json: {} }] }],
])("of %j is read %j", ([body, said]) => {
  const { error } = failureOf(answer(502, JSON.stringify(body), "application/json"), now);
  expect(error).toMatchObject(said);
});

test("the id in the headers goes before that in the body, and a secret in either is hidden", () => {
  const secret = "tok-0123456789abcdef";
  const body = JSON.stringify({ requestId: secret, error: { code: 5 } });
  const idOf = (headers?: Record<string, string>) =>
    failureOf(answer(404, body, "application/json", headers), now, [secret]).error.requestId;
  expect([idOf({ "x-request-id": "r" }), idOf({ "x-request-id": secret }), idOf()]).toEqual([
    "r",
    "<redacted>",
    "<redacted>",
  ]);
});

/** So many levels of lists and objects inside a detail. */
const detailOf = (levels: number): object =>
  levels === 0 ? { "@type": "a.B" } : { "@type": "a.B", x: JSON.parse("[".repeat(levels) + "]".repeat(levels)) };

test.for<[envelope: (status: object) => object, levels: number]>([
  [(status) => status, 4],
  [(error) => ({ error }), 3],
])("a detail that nests deeper than the limit is left out, the others stay (%#)", ([envelope, levels]) => {
  const typesOf = (level: number) => {
    const body = JSON.stringify(envelope({ code: 5, details: [detailOf(level), { "@type": "a.C" }] }));
    const { error } = failureOf(answer(404, body, "application/json"), now, [], {
      ...defaultReadLimits,
      maxJsonDepth: 6,
    });
    return error.details.map(({ type }) => type);
  };
  expect([typesOf(levels - 1), typesOf(levels)]).toEqual([["a.B", "a.C"], ["a.C"]]);
});

const refused = (secrets: ReadonlyArray<string>) => failureOf(answer(401, ""), now, secrets).error;

test("whether no token was sent is known, and one request was made", () => {
  expect(refused([])).toMatchObject({ reason: { _tag: "Unauthenticated", noneSent: true }, attempts: 1 });
  expect(refused(["tok-0123456789abcdef"]).reason).toEqual({ _tag: "Unauthenticated" });
});

test("an error body beyond a limit is TooLarge, and hides what it repeats", () => {
  const limits = { ...defaultReadLimits, maxItems: 2 };
  const { error, hintMs } = failureOf(answer(503, "[[],[],[]]", "application/json"), now, [], limits);
  expect(error).toMatchObject({ reason: { _tag: "TooLarge", limit: "maxItems", value: 2 }, status: 503 });
  expect(hintMs).toBeUndefined();
});

const codeOf = (bytes: Uint8Array, contentType?: string) =>
  failureOf(answer(502, bytes, contentType), now, [], undefined, binaryErrors).error.code;

const statusOf = (code: number) => toBinary(StatusSchema, create(StatusSchema, { code, message: "m" }));

test("protobuf that is no Status of an error is not read as one, and unlabelled bytes are not protobuf", () => {
  expect(codeOf(statusOf(5), "application/x-protobuf")).toBe("NOT_FOUND");
  expect(codeOf(statusOf(0), "application/x-protobuf")).toBe("UNAVAILABLE");
  expect(codeOf(statusOf(99), "application/x-protobuf")).toBe("UNAVAILABLE");
  expect(codeOf(new Uint8Array([...statusOf(5), 0x70, 1]), "application/x-protobuf")).toBe("UNAVAILABLE");
  expect(codeOf(statusOf(5))).toBe("UNAVAILABLE");
  expect(codeOf(statusOf(5), "text/html")).toBe("UNAVAILABLE");
});

test.for<[reason: EngineErrorReason, status: number | undefined, hintMs: number | undefined, expected: boolean]>([
  [{ _tag: "Unreachable", problem: "refused" }, undefined, undefined, true],
  [{ _tag: "Unreachable", problem: "dns" }, undefined, undefined, true],
  [{ _tag: "Unreachable", problem: "reset" }, undefined, 5, false],
  [{ _tag: "Unreachable", problem: "reset" }, 503, 5, false],
  [{ _tag: "RateLimited" }, 429, 0, true],
  [{ _tag: "Unavailable" }, 503, 5, true],
  [{ _tag: "Unavailable" }, 502, 5, false],
  [{ _tag: "RateLimited" }, 430, 5, false],
  [{ _tag: "Unavailable" }, 503, undefined, false],
  [{ _tag: "RateLimited" }, 429, undefined, false],
])("whether %j with the status %s and a hint of %s ms was certainly not carried out: %s", (row) => {
  const [reason, status, hintMs, expected] = row;
  const error = new EngineError({ reason, url, attempts: 1, ...(status === undefined ? {} : { status }) });
  expect(wasNotProcessed(new AttemptFailure(error, { hintMs }))).toBe(expected);
});

test("a failure keeps its circumstances when it gets other details", () => {
  const failure = failureOf(answer(503, "", undefined, { "retry-after": "2" }), now);
  const other = failure.with({ attempts: 3 });
  expect(other).toMatchObject({ hintMs: 2_000, exhausted: false, error: { attempts: 3 }, name: failure.name });
  expect(other.answer).toBe(failure.answer);
  expect(new AttemptFailure(failure.error, { exhausted: true }).exhausted).toBe(true);
});

test("the URL is shown without user info and fragment", () => {
  const { error } = failureOf(answer(404, ""), now);
  expect(error.url).toBe("http://127.0.0.1:4010/v1/dev/engines?orderBy=x");
  expect(error.message).not.toContain("pass");
});

test.for(["x-request-id", "request-id", "grpc-metadata-x-request-id"])("the request id is taken from %s", (name) => {
  expect(failureOf(answer(404, "", undefined, { [name]: "r-2" }), now).error.requestId).toBe("r-2");
});

test("a token that the server repeats appears nowhere, wherever the message is cut", () => {
  const secret = "tok-0123456789abcdef";
  const place = fc.integer({ min: maxServerMessageLength - 2 * secret.length, max: maxServerMessageLength + 5 });
  fc.assert(
    fc.property(place, (length) => {
      const message = `${"m".repeat(length)}${secret}${"n".repeat(40)}`;
      const { error } = failureOf(answer(401, json("UNAUTHENTICATED", message), "application/json"), now, [secret]);
      for (let size = 6; size <= secret.length; size++) {
        expect(JSON.stringify(error) + error.message).not.toContain(secret.slice(0, size));
      }
      expect(error.serverMessage?.length).toBeLessThanOrEqual(maxServerMessageLength);
    }),
  );
});

test("any bytes under any status give an error, never an exception", () => {
  const labels = fc.constantFrom("application/json", "application/x-protobuf", "text/html", undefined);
  fc.assert(
    fc.property(
      fc.integer({ min: 300, max: 599 }),
      fc.uint8Array({ maxLength: 60 }),
      labels,
      (status, bytes, label) => {
        expect(failureOf(answer(status, bytes, label), now, [], undefined, binaryErrors).error.status).toBe(status);
      },
    ),
  );
  fc.assert(
    fc.property(fc.json(), (body) => {
      expect(failureOf(answer(500, body, "application/json"), now).error.status).toBe(500);
    }),
  );
});

test("a token is redacted without its scheme, and in the details as well", () => {
  const token = "abcdef0123456789";
  const body = JSON.stringify({
    code: 16,
    message: `bad token ${token}`,
    details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "BAD", metadata: { token } }],
  });
  const { error } = failureOf(answer(401, body, "application/json"), now, [`Bearer ${token}`]);
  expect(error.serverMessage).toBe("bad token <redacted>");
  expect(error.details).toEqual([
    { type: "google.rpc.ErrorInfo", json: { reason: "BAD", metadata: { token: "<redacted>" } } },
  ]);
});

test("a binary detail that repeats the token is left out, the others stay", () => {
  const token = "abcdef0123456789";
  const retry = anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: { seconds: 2n } }));
  const detail = { typeUrl: "type.googleapis.com/google.rpc.ErrorInfo", value: utf8.encode(`\n\x10${token}`) };
  const body = toBinary(StatusSchema, create(StatusSchema, { code: 16, details: [detail, retry] }));
  const { error } = failureOf(answer(401, body, "application/x-protobuf"), now, [token], undefined, binaryErrors);
  expect(error.details.map(({ type }) => type)).toEqual(["google.rpc.RetryInfo"]);
});
