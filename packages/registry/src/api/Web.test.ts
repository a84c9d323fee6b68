import { expect, test } from "vitest";
import type { Answer, RequestHead } from "./Answer.ts";
import { makeWeb, otherMethod, remembering, type WebOptions } from "./Web.ts";

type Fields = Readonly<Record<string, string>>;

const head = (fields: Fields = {}, method = "GET", target = "/v1/dev/engines"): RequestHead =>
  ({ method, target, header: (name: string) => fields[name] ?? null }) as unknown as RequestHead;

const answered = (headers: Record<string, string> = {}, length = 1_024, status = 200): Answer => ({
  status,
  headers: { "Content-Type": "application/json", ...headers },
  body: "x".repeat(length),
  logFields: { endpoint: undefined, user: undefined },
});

const web = (options: Partial<WebOptions> = {}) =>
  makeWeb({
    digest: () => "tag",
    compress: async (body, coding) => new TextEncoder().encode(`${coding} of ${body.length}`),
    ...options,
  });

test.for<[field: string, coding: string]>([
  ["", "identity"],
  ["gzip", "gzip"],
  ["br", "br"],
  ["gzip, br", "br"],
  ["gzip, br;q=1", "br"],
  ["br;q=0.5, gzip", "gzip"],
  ["br;q=0.5, gzip;q=0.4", "br"],
  ["br;q=0, *", "gzip"],
  ["*", "br"],
  ["*;q=0", "identity"],
  ["*;q=0, gzip", "gzip"],
  ["identity", "identity"],
  ["identity, br;q=0.5", "identity"],
  ["identity;q=0.5, br;q=0.5", "br"],
  ["GZIP ; Q=1", "gzip"],
  ["gzip;q=x", "identity"],
  ["gzip;a=q=1;q=0", "identity"],
  ["deflate", "identity"],
])("Accept-Encoding: %s is answered in %s, each time", async ([field, coding]) => {
  for (const _ of [1, 2]) {
    const { headers, body } = await web().finish(head({ "accept-encoding": field }), answered());
    const isCoded = coding !== "identity";
    expect([headers["Content-Encoding"], headers["Vary"], headers["ETag"], String(body).length]).toEqual([
      isCoded ? coding : undefined,
      "Accept-Encoding",
      isCoded ? `"tag-${coding}"` : '"tag"',
      isCoded
        ? `${coding} of 1024`
            .split("")
            .map((character) => character.charCodeAt(0))
            .join().length
        : 1_024,
    ]);
  }
});

test("a field is read once", () => {
  const read: Array<string | null> = [];
  const lengthOf = remembering((field) => {
    read.push(field);
    return field?.length;
  });
  expect(["a", null, "a", null, "bc"].map(lengthOf)).toEqual([1, undefined, 1, undefined, 2]);
  expect(read).toEqual(["a", null, "bc"]);
});

test("a field is read again when 200 have come since, itself among them", () => {
  for (const [others, times] of [
    [198, 1],
    [199, 2],
  ] as const) {
    const read: Array<string | null> = [];
    const know = remembering((field) => read.push(field));
    for (const field of ["a", ...Array.from({ length: others }, (_, at) => String(at)), "a"]) know(field);
    expect([others, read.filter((field) => field === "a").length]).toEqual([others, times]);
  }
});

const vary = async (headers: Record<string, string>, length?: number, options?: Partial<WebOptions>) => {
  const answer = await web(options).finish(head({ "accept-encoding": "gzip" }), answered(headers, length));
  return [answer.headers["Content-Encoding"], answer.headers["Vary"]];
};

test("text is compressed from 1,024 bytes on, where the runtime compresses", async () => {
  for (const type of [
    "application/json",
    "application/problem+json",
    "application/x-protobuf",
    "application/protobuf",
    "text/html; charset=utf-8",
    "text/javascript",
    "application/javascript",
  ]) {
    expect([type, await vary({ "Content-Type": type, Vary: "Accept" })]).toEqual([
      type,
      ["gzip", "Accept, Accept-Encoding"],
    ]);
  }
  for (const type of ["image/png", "application/octet-stream", "x-text/plain"]) {
    expect([type, await vary({ "Content-Type": type })]).toEqual([type, [undefined, undefined]]);
  }
  expect(await vary({}, 1_023)).toEqual([undefined, undefined]);
  expect(await vary({}, 2_000, { compress: undefined })).toEqual([undefined, undefined]);
});

test("what is no whole answer to a read, or too long to be sent, is left as it is", async () => {
  const accepts = { "accept-encoding": "gzip", "if-none-match": "*" };
  for (const [request, answer, options] of [
    [head(accepts), answered({}, 2_000, 404), {}],
    [head(accepts, "POST"), answered({}, 2_000), {}],
    [head(accepts), answered({}, 2_000), { maxBytes: 1_999 }],
  ] as const) {
    expect(await web(options).finish(request, answer)).toBe(answer);
    expect(answer.headers).toEqual({ "Content-Type": "application/json" });
  }
  const longest = await web({ maxBytes: 2_000 }).finish(head(accepts), answered({}, 2_000));
  expect([longest.status, (await web().finish(head(accepts, "HEAD"), answered())).status]).toEqual([304, 304]);
  const unstored = await web().finish(head(accepts), answered({ "Cache-Control": "no-store" }, 10));
  expect([unstored.status, unstored.headers["ETag"]]).toEqual([200, undefined]);
});

test.for<[field: string, status: number]>([
  ["*", 304],
  [" * ", 304],
  ['"own"', 304],
  ['W/"own"', 304],
  ['"a,b", "own"', 304],
  ['"tag"', 200],
  ["own", 200],
  ["", 200],
])("If-None-Match: %s is answered with %i to a tag of one's own", async ([field, status]) => {
  let isCancelled = false;
  const bytes = new ReadableStream<Uint8Array<ArrayBuffer>>({ cancel: () => void (isCancelled = true) });
  const whole = { ...answered({ ETag: '"own"' }, 10), stream: { length: 10, bytes } };
  const answer = await web().finish(head({ "if-none-match": field }), whole);
  const isKnown = status === 304;
  expect([answer.status, answer.body.length, answer.headers["Content-Type"], answer.headers["ETag"]]).toEqual(
    isKnown ? [304, 0, undefined, '"own"'] : [200, 10, "application/json", '"own"'],
  );
  expect([isCancelled, answer.stream === undefined]).toEqual([isKnown, isKnown]);
});

test.for<[origins: ReadonlyArray<string>, origin: string | undefined, target: string, allowed: string | undefined]>([
  [["https://app.example", "http://a.example:1"], "https://app.example", "/v1/dev/engines", "https://app.example"],
  [["https://app.example", "http://a.example:1"], "http://a.example:1", "/managed", "http://a.example:1"],
  [["https://app.example"], "https://other.example", "/v1/dev/engines", undefined],
  [["https://app.example"], undefined, "/v1/dev/engines", undefined],
  [["*"], "https://other.example", "/v1/dev/engines", "*"],
  [[], "https://app.example", "/v1/dev/engines", undefined],
  ...["/metrics", "/metrics?a", "/faults", "/manage/v1/users?a", "/manage"].map(
    (path) => [["*"], "https://app.example", path, undefined] as [string[], string, string, undefined],
  ),
])("pages of origins %j: %s may read %s by %s", async ([corsOrigins, origin, target, allowed]) => {
  const fields = origin === undefined ? {} : { origin };
  const shared = web({ corsOrigins });
  const { headers } = await shared.finish(head(fields, "GET", target), answered({}, 10, 404));
  expect(headers["Access-Control-Allow-Origin"]).toBe(allowed);
  expect(headers["Access-Control-Expose-Headers"]).toBe(
    allowed === undefined ? undefined : "Bytenite-Schema-Digest, ETag, Retry-After, X-D1-Bookmark, X-Request-Id",
  );
  const isShared = corsOrigins.length > 0 && /^\/(?:v1|managed)/.test(target);
  expect(headers["Vary"]).toBe(isShared ? "Origin" : undefined);
  const asks = { ...fields, "access-control-request-method": "DELETE" };
  expect(shared.preflight(head(asks, "OPTIONS", target))?.status).toBe(allowed === undefined ? undefined : 204);
  expect(shared.preflight(head(asks, "GET", target))).toBeUndefined();
  expect(shared.preflight(head(fields, "OPTIONS", target))).toBeUndefined();
});

const allowed = (asked?: string) =>
  web({ corsOrigins: ["*"] }).preflight(
    head(
      {
        origin: "https://app.example",
        "access-control-request-method": "GET",
        ...(asked === undefined ? {} : { "access-control-request-headers": asked }),
      },
      "OPTIONS",
    ),
  )?.headers;

test("a preflight allows the headers that it asks for, and is remembered for ten minutes", () => {
  const fixed = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
    "Access-Control-Max-Age": "600",
    Vary: "Access-Control-Request-Method, Access-Control-Request-Headers",
  };
  expect(allowed()).toEqual(fixed);
  expect(allowed("")).toEqual(fixed);
  for (const asked of ["authorization, x-a_b", "a".repeat(1_000)]) {
    expect(allowed(asked)).toEqual({ ...fixed, "Access-Control-Allow-Headers": asked });
  }
  for (const asked of ["a".repeat(1_001), "a;b", "a\nb"]) expect(allowed(asked)).toEqual(fixed);
});

test.for(["https://app.example/", "app.example", "null", "file:///a"])("the origin %s is refused", (origin) => {
  expect(() => web({ corsOrigins: [origin] })).toThrow(
    new TypeError(`"${origin}" is not an origin as https://app.example, nor *`),
  );
});

test.for([
  ["GET", ["GET"], undefined],
  ["HEAD", ["POST", "GET"], undefined],
  ["HEAD", ["POST"], [405, "POST, OPTIONS"]],
  ["POST", ["GET", "DELETE"], [405, "GET, HEAD, DELETE, OPTIONS"]],
  ["OPTIONS", ["GET", "POST"], [204, "GET, HEAD, POST, OPTIONS"]],
] as const)("%s where there is %j is answered with %j", ([method, allowed, expected]) => {
  const other = otherMethod(method, allowed);
  expect(other && [other.status, other.headers["Allow"]]).toEqual(expected);
});
