import { expect, test, vi } from "vitest";
import { Cancellation } from "./Cancellation.ts";
import type { EngineError } from "./EngineError.ts";
import type { Fetch, FetchInit } from "./Fetch.ts";
import { LimitExceeded } from "./ReadLimits.ts";
import { exchange, lowerCased, publicUrl, transportError, type HttpResponse } from "./Transport.ts";

const url = "http://a.example/v1/engines";
const limits = { maxBodyBytes: 1_000, maxDecodedBodyBytes: 1_000 };

/** An exchange with a server that answers each request with the next of these. */
const exchanged = async (answers: ReadonlyArray<Response>, method = "GET") => {
  const asked: Array<readonly [url: string, init: FetchInit]> = [];
  const fetch: Fetch = async (target, init) => {
    asked.push([target, init]);
    return answers[asked.length - 1] ?? new Response("end");
  };
  const request = { url, method, headers: { accept: "a/b" }, ...(method === "GET" ? {} : { body: "{}" }) };
  const result = await exchange(fetch, request, limits, new Cancellation()).catch((error: unknown) => error);
  return { result: result as HttpResponse & EngineError, asked };
};

const redirect = (status: number, location?: string): Response =>
  new Response(null, { status, headers: location === undefined ? {} : { location } });

test.for([301, 302, 303, 307, 308])("the redirect %i of a GET is followed at the same origin", async (status) => {
  const { result, asked } = await exchanged([redirect(status, "/b"), redirect(status, "http://u:p@a.example/c?d")]);
  expect(asked.map(([target]) => target)).toEqual([url, "http://a.example/b", "http://a.example/c?d"]);
  expect(asked[2]?.[1]).toMatchObject({ method: "GET", headers: { accept: "a/b" }, redirect: "manual" });
  expect(result).toMatchObject({ url: "http://a.example/c?d", status: 200, bytes: new Uint8Array(Buffer.from("end")) });
});

test.for<[answer: Response, method: string, problem: string | undefined]>([
  [redirect(301, "/b"), "POST", "a POST is not sent again after 301"],
  [redirect(306, "/b"), "POST", undefined],
  [redirect(307, "/b"), "POST", undefined],
  [redirect(308, "/b"), "PUT", undefined],
  [redirect(300, "/b"), "GET", undefined],
  [redirect(304, "/b"), "GET", undefined],
  [redirect(302), "GET", undefined],
  [redirect(302, "http://b.example/"), "GET", "its target has another origin, http://b.example"],
  [redirect(302, "https://a.example/"), "GET", "its target has another origin, https://a.example"],
  [redirect(302, "file:///etc/passwd"), "GET", "its target is a file: URL"],
  [redirect(302, "http://[/"), "GET", "its target is not a URL"],
  [Object.defineProperty(redirect(302), "type", { value: "opaqueredirect" }), "GET", "the runtime hides its target"],
])("a redirect (%#) of a request with the method %s: %s", async ([answer, method, problem]) => {
  const { result } = await exchanged([answer], method);
  expect(result.reason).toEqual(problem === undefined ? undefined : { _tag: "RedirectRefused", problem });
});

test("five redirects are followed, and no more", async () => {
  const five = Array.from({ length: 5 }, () => redirect(307, "/b"));
  expect((await exchanged(five)).result.status).toBe(200);
  const { result, asked } = await exchanged([...five, redirect(307, "/b")]);
  expect(asked).toHaveLength(6);
  expect(result.reason).toEqual({ _tag: "RedirectRefused", problem: "more than 5 in a row" });
});

/** An error with a code, below so many others. */
const coded = (code: unknown, below = 0): Error =>
  below === 0
    ? Object.assign(new Error("failed"), { code })
    : new Error("fetch failed", { cause: coded(code, below - 1) });

test.for([
  ["ENOTFOUND", "dns"],
  ["EAI_AGAIN", "dns"],
  ["ECONNREFUSED", "refused"],
  ["ECONNRESET", "reset"],
  ["EPIPE", "reset"],
  ["UND_ERR_SOCKET", "reset"],
  ["CERT_HAS_EXPIRED", "tls"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "tls"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "tls"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls"],
  ["EPROTO", "tls"],
  ["EHOSTUNREACH", "network"],
] as const)("the system code %s means: %s", ([systemCode, problem]) => {
  for (const below of [0, 1, 3])
    expect(transportError(url, undefined, coded(systemCode, below)).reason).toEqual({
      _tag: "Unreachable",
      problem,
      systemCode,
    });
});

test.for(["HPE_INVALID_CONSTANT", "HPE_HEADER_OVERFLOW", "UND_ERR_HEADERS_OVERFLOW"])(
  "after %s the answer is undecodable, as it came",
  (code) => {
    const { reason } = transportError(url, undefined, Object.assign(new Error("parse"), { code }));
    expect(reason).toEqual({ _tag: "Undecodable", problem: `it is no valid HTTP (${code})` });
  },
);

test.for<[what: string, cause: unknown]>([
  ["too far below", coded("EPIPE", 4)],
  ["a number", coded(7)],
  ["of no error", { code: "EPIPE" }],
  ["missing", new Error("failed")],
])("a system code that is %s is not looked at", ([, cause]) => {
  expect(transportError(url, undefined, cause).reason).toEqual({ _tag: "Unreachable", problem: "network" });
});

test("of several errors at once, the first counts", () => {
  const cause = new AggregateError([coded("ECONNREFUSED"), coded("EPIPE")], "all failed", { cause: coded("EPIPE") });
  expect(transportError(url, undefined, cause).reason).toMatchObject({ problem: "refused" });
});

test("what breaks behind the head of an answer is its body", () => {
  expect(transportError(url, 200, coded("ECONNRESET"))).toMatchObject({
    reason: { _tag: "Undecodable", problem: "the body broke off (ECONNRESET)" },
    status: 200,
    attempts: 1,
  });
  expect(transportError(url, 200, new Error("x")).reason).toEqual({
    _tag: "Undecodable",
    problem: "the body broke off",
  });
  expect(transportError(url, 200, new LimitExceeded("maxBodyBytes", 5)).reason).toEqual({
    _tag: "TooLarge",
    limit: "maxBodyBytes",
    value: 5,
  });
});

test("secrets are hidden in the messages of all causes, which stay as they are without", () => {
  const secret = "tok-0123456789abcdef";
  const cause = new Error("outer", { cause: new Error(`invalid value ${secret}`) });
  const error = transportError(`${url}?t=${secret}`, undefined, cause, [secret]);
  expect(error.url).not.toContain(secret);
  expect(error.cause).toEqual(new Error("outer: invalid value <redacted>"));
  expect(transportError(url, undefined, cause, ["other-secret-0123"]).cause).toBe(cause);
});

/** An exchange over a fetch that resolves with this. */
const exchangeWith = (given: unknown) =>
  exchange((() => Promise.resolve(given)) as never, { url, method: "GET", headers: {} }, limits, new Cancellation());

test("what is no response is the user's mistake, not the server's", async () => {
  for (const given of [
    undefined,
    null,
    "text",
    {},
    { status: "200", headers: new Headers() },
    ...[undefined, null, {}, [], "a: b"].map((headers) => ({ status: 200, headers })),
  ])
    await expect(exchangeWith(given)).rejects.toThrow(
      /^fetch must resolve with a standard Response, with status and headers, not /,
    );
});

const kinds = [undefined, "text", {}].flatMap((body) => [200, 302, 503].map((status) => [status, body] as const));

test.for(kinds)(
  "an answer %i with the body %j, as polyfills of fetch have, is refused by name",
  async ([status, body]) => {
    const given = { status, headers: new Headers({ location: "/b", "content-length": "99999999999" }), body };
    await expect(exchangeWith(given)).rejects.toThrow(
      /^fetch must resolve with a standard Response, whose body is a ReadableStream or null, not /,
    );
  },
);

test("a request that is given up is not sent, and ends with the reason", async () => {
  const controller = new AbortController();
  controller.abort(new Error("given up"));
  const called = exchange(
    () => Promise.reject(new Error("sent")),
    { url, method: "GET", headers: {} },
    limits,
    new Cancellation(controller.signal),
  );
  await expect(called).rejects.toThrow("given up");
});

test("a URL is shown without user info and fragment, and names in lower case, the last of two spellings", () => {
  expect(publicUrl("http://u:p@a.example/x?y#z")).toBe("http://a.example/x?y");
  expect(publicUrl("no url")).toBe("no url");
  expect(lowerCased({ "X-A": "1", "x-a": "2", B: "3" })).toEqual({ "x-a": "2", b: "3" });
});

test("a request has its body, and a signal or what a fetch of ours takes instead", async () => {
  const inits: Array<FetchInit> = [];
  const plain: Fetch = async (_url, init) => {
    inits.push(init);
    return new Response();
  };
  const taking = Object.assign((...given: Parameters<Fetch>) => plain(...given), { takesOnAbort: true });
  const cancel = new Cancellation();
  await exchange(plain, { url, method: "POST", headers: {}, body: "{}" }, limits, cancel);
  await exchange(taking, { url, method: "GET", headers: {} }, limits, cancel);
  expect(inits).toMatchObject([{ method: "POST", body: "{}", signal: cancel.signal }, { method: "GET" }]);
  expect(inits.map((init) => ["body", "signal", "onAbort"].filter((name) => name in init))).toEqual([
    ["body", "signal"],
    ["onAbort"],
  ]);
  const heard: Array<unknown> = [];
  inits[1]?.onAbort?.((reason) => heard.push(reason));
  cancel.abort("enough");
  expect(heard).toEqual(["enough"]);
});

test("the body of a redirect is given up", async () => {
  const given: Array<string> = [];
  const body = new ReadableStream({ cancel: () => void given.push("up") });
  const { result } = await exchanged([new Response(body, { status: 302, headers: { location: "/b" } })]);
  expect([result.status, given]).toEqual([200, ["up"]]);
});

test("of a chain of causes with a secret, four messages are shown", () => {
  const secret = "tok-0123456789abcdef";
  const chain = (left: number): Error => new Error(`${secret} ${left}`, left === 0 ? {} : { cause: chain(left - 1) });
  const { cause } = transportError(url, undefined, chain(5), [secret]);
  expect((cause as Error).message).toBe([5, 4, 3, 2].map((left) => `<redacted> ${left}`).join(": "));
});

test.for<[origin: unknown, target: string, pageOrigin: string | undefined]>([
  ["http://page.example", url, "http://page.example"],
  ["http://a.example", url, undefined],
  ["http://page.example", "no url", undefined],
  [7, url, undefined],
])("on a page of %s, a failure to reach %s tells of the page %s", ([origin, target, pageOrigin]) => {
  vi.stubGlobal("location", { origin });
  try {
    const expected = { _tag: "Unreachable", problem: "network", ...(pageOrigin === undefined ? {} : { pageOrigin }) };
    expect(transportError(target, undefined, new TypeError("failed")).reason).toEqual(expected);
  } finally {
    vi.unstubAllGlobals();
  }
});
