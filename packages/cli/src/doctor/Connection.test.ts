import { hasOpenssl, selfSigned } from "@bytenite-engines/test-kit/certificate";
import { X509Certificate } from "node:crypto";
import { getEventListeners, once } from "node:events";
import { createServer as createTcpServer, type AddressInfo, type Server } from "node:net";
import { createServer, getCACertificates, setDefaultCACertificates } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";
import {
  checkCache,
  checkClock,
  checkHints,
  checkLatency,
  checkMediaType,
  checkName,
  checkTls,
  median,
  type PlainAnswer,
} from "./Connection.ts";
import { placed } from "../output/Table.ts";
import { checkShape, isWell, summed, verdict, type Check, type CheckState } from "./Check.ts";

const at = Date.UTC(2025, 5, 1);
const answer = (headers: Readonly<Record<string, string>>, more: Partial<PlainAnswer> = {}): PlainAnswer => ({
  accept: "*/*",
  status: 200,
  headers: { get: (name) => headers[name] ?? null },
  bytes: new Uint8Array(),
  sentAtMs: at,
  receivedAtMs: at,
  ...more,
});

const named = (check: string, state: CheckState, subject = "", detail = state as string): Check => ({
  check,
  subject,
  state,
  detail,
});

test("a body is what its label says", () => {
  const json = Buffer.from("{}");
  const protobuf = Uint8Array.of(0x0a, 0);
  for (const [label, bytes, status, state, detail] of [
    ["application/json", json, 200, "ok", "200 application/json"],
    ["application/x-protobuf", protobuf, 200, "ok", "200 application/x-protobuf"],
    ["application/x-protobuf", new Uint8Array(), 200, "ok", "200 application/x-protobuf"],
    ["application/json", new Uint8Array(), 200, "ok", "200 application/json"],
    ["application/json", protobuf, 200, "failed", "200 application/json, but the body is not JSON"],
    ["application/json", Uint8Array.of(0x31), 200, "failed", "200 application/json, but the body is not JSON"],
    ["application/x-protobuf", json, 200, "failed", "200 application/x-protobuf, but the body is JSON"],
    ["text/html", json, 200, "failed", "200 text/html: neither JSON nor protobuf"],
    ["text/html", json, 406, "ok", "406: not offered"],
    ["text/html", json, 500, "failed", "500 text/html"],
    [undefined, json, 500, "failed", "500 without Content-Type"],
  ] as const) {
    const headers: Record<string, string> = label === undefined ? {} : { "content-type": label };
    const check = { check: "media type", subject: "*/*", state, detail };
    expect(checkMediaType(answer(headers, { bytes, status }))).toEqual(check);
  }
  expect(checkMediaType({ accept: "*/*", problem: "none: ECONNRESET" })).toEqual({
    check: "media type",
    subject: "*/*",
    state: "failed",
    detail: "none: ECONNRESET",
  });
});

test("a clock is off by what neither the second of Date nor the time on the way explains", () => {
  for (const [dateMs, age, wayMs, state, detail] of [
    [0, undefined, 0, "ok", "agrees with ours"],
    [-1_000, undefined, 0, "ok", "agrees with ours"],
    [-1_001, undefined, 0, "ok", "1 ms behind ours"],
    [500, undefined, 500, "ok", "agrees with ours"],
    [501, undefined, 500, "ok", "1 ms ahead of ours"],
    [1_500, undefined, 500, "ok", "1 s ahead of ours"],
    [30_000, undefined, 0, "ok", "30 s ahead of ours"],
    [30_001, undefined, 0, "failed", "30 s ahead of ours"],
    [-31_000, undefined, 0, "ok", "30 s behind ours"],
    [-31_001, undefined, 0, "failed", "30 s behind ours"],
    [-60_000, "60", 0, "ok", "agrees with ours"],
    [-60_000, "old", 0, "failed", "59 s behind ours"],
  ] as const) {
    // With milliseconds, which a Date field does not have.
    const headers = { date: new Date(at + dateMs).toISOString(), ...(age === undefined ? {} : { age }) };
    const check = checkClock(answer(headers, { receivedAtMs: at + wayMs }));
    expect([dateMs, check]).toEqual([dateMs, { check: "clock", subject: "", state, detail }]);
  }
  expect(checkClock(answer({}))).toMatchObject({ state: "unknown", detail: "no Date in the answer" });
});

test("what caches and limits say about themselves is shown", () => {
  expect(checkCache(answer({}))).toMatchObject({ check: "cache", state: "ok", detail: "none in front" });
  expect(checkCache(answer({ via: "1.1 edge", age: "3" }))).toMatchObject({ detail: "age: 3; via: 1.1 edge" });
  expect(checkHints([answer({})])).toMatchObject({ state: "ok", detail: "none given, none needed" });
  const limits = { "retry-after": "3", ratelimit: "r=1" };
  expect(checkHints([answer({}), answer(limits), answer(limits)])).toMatchObject({
    check: "retry hints",
    detail: "retry-after: 3; ratelimit: r=1",
  });
});

test("a host is an address, a name that resolves, or one that does not", async () => {
  const address = "an address, no name";
  expect(await checkName(new URL("http://127.0.0.1:1/v1"))).toEqual(named("name", "ok", "127.0.0.1", address));
  expect(await checkName(new URL("https://[::1]/v1"))).toEqual(named("name", "ok", "::1", address));
  expect(await checkName(new URL("https://localhost/v1"))).toMatchObject({
    state: "ok",
    subject: "localhost",
    detail: expect.stringMatching(/^(?:127\.0\.0\.1|::1)/) as unknown,
  });
  expect(await checkName(new URL("https://nowhere.invalid"))).toMatchObject({
    state: "failed",
    detail: expect.stringMatching(/^does not resolve \(E[A-Z_]+\); point elsewhere with --base-url URL/) as unknown,
  });
});

const never = new AbortController().signal;

test("plain HTTP is for this machine only", async () => {
  for (const [host, state, detail] of [
    ["localhost", "ok", "plain HTTP, which does not leave this machine"],
    ["engines.example", "failed", "plain HTTP: everybody on the way can read the token"],
  ] as const) {
    expect(await checkTls(new URL(`http://${host}/`), 1, never)).toEqual(named("tls", state, "", detail));
  }
});

/** Where a server listens, until the end of the test and of its connections. */
const listening = async (server: Server): Promise<number> => {
  await once(server.listen(0), "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
};

test.skipIf(!hasOpenssl)("a certificate is trusted, and holds for a week at least", async () => {
  const { key, cert } = selfSigned(30, "engines.test");
  const asked = new Set<unknown>();
  const server = createServer({ key, cert }, (socket) => asked.add(socket.servername));
  const port = await listening(server);
  const check = (host: string): Promise<Check> => checkTls(new URL(`https://${host}:${port}/`), 10_000, never);
  expect(await check("localhost")).toMatchObject({
    state: "failed",
    detail: expect.stringMatching(/^self-signed certificate.* \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/) as unknown,
  });
  const trusted = getCACertificates();
  onTestFinished(() => setDefaultCACertificates(trusted));
  setDefaultCACertificates([...trusted, cert]);
  const endsAt = Date.parse(new X509Certificate(cert).validTo);
  onTestFinished(() => void vi.useRealTimers());
  for (const [leftMs, state, days] of [
    [8 * 86_400_000 - 1, "ok", 7],
    [7 * 86_400_000, "ok", 7],
    [7 * 86_400_000 - 1, "failed", 6],
    [0, "failed", 0],
  ] as const) {
    vi.useFakeTimers({ toFake: ["Date"], now: endsAt - leftMs });
    expect(await check("localhost")).toEqual(
      named("tls", state, "", `TLSv1.3, certificate of engines.test ends in ${days} days`),
    );
  }
  await check("127.0.0.1");
  // A connection that is left open would keep the server from closing.
  await new Promise((resolve) => server.close(resolve));
  expect(asked).toEqual(new Set(["localhost", false]));
});

test("a handshake ends with its limit or its signal, and leaves nothing behind", async () => {
  const port = await listening(createTcpServer((socket) => socket.on("error", () => {})));
  const url = new URL(`https://127.0.0.1:${port}/`);
  const controller = new AbortController();
  const { signal } = controller;
  expect(await checkTls(url, 20, signal)).toEqual(named("tls", "failed", "", "no handshake within 20 ms"));
  await vi.waitFor(() => expect(getEventListeners(signal, "abort")).toEqual([]));
  const pending = checkTls(url, 60_000, signal);
  controller.abort(new Error("interrupted"));
  await expect(pending).rejects.toThrow("interrupted");
});

const took = (ms: number): PlainAnswer => answer({}, { receivedAtMs: at + ms });

test("the latency is the median of the answers", () => {
  expect([median([]), median([5]), median([9, 1]), median([100, 1, 20])]).toEqual([0, 5, 9, 20]);
  expect(checkLatency([took(90), took(2), took(30)])).toEqual({
    check: "latency",
    subject: "",
    state: "ok",
    detail: "30 ms (median of 3, the first 90 ms)",
  });
});

test("a summary has a line for each kind of check, names three at most, and is as bad as the worst", () => {
  const field = (state: CheckState, subject: string): Check => named("field", state, subject);
  expect(summed([named("name", "ok", "host", "fine"), field("ok", "a"), field("unknown", "b")])).toEqual([
    named("name", "ok", "host", "fine"),
    named("schema", "ok", "", "1 ok, 1 unknown"),
  ]);
  expect(summed([field("unknown", "a"), field("unknown", "b")])).toEqual([named("schema", "unknown", "", "2 unknown")]);
  expect(summed([named("schema digest", "ok"), field("different", "a"), field("different", "b")])).toEqual([
    named("schema", "different", "", "1 ok, 2 different; a: different; b: different"),
  ]);
  const three = ["a", "b", "c"].map((subject) => field("different", subject));
  expect(summed([...three])).toEqual([
    named("schema", "different", "", "3 different; a: different; b: different; c: different"),
  ]);
  expect(summed([...three, field("failed", "d"), field("skipped", "e")])).toEqual([
    named(
      "schema",
      "failed",
      "",
      "3 different, 1 failed, 1 skipped; a: different; b: different; c: different; 2 more; --verbose shows each",
    ),
  ]);
});

test("a narrow terminal keeps twelve cells of what is checked and of what was found", () => {
  const row = ["schema digest", "x".repeat(40), "ok", "y".repeat(40)].map((text) => ({ text }));
  const cells = (width: number) =>
    placed(checkShape(() => ({})).columns, [row], width, false).map(({ column, cells }) => [column.path, cells]);
  expect(cells(48)).toEqual([
    ["check", 13],
    ["subject", 12],
    ["state", 5],
    ["detail", 12],
  ]);
  expect(cells(47)).toHaveLength(3);
});

test("all is well where everything is ok or unknown, and what is not is named once", () => {
  expect(isWell([named("a", "ok"), named("b", "unknown")])).toBe(true);
  for (const state of ["different", "failed", "skipped"] as const) {
    expect(isWell([named("a", "ok"), named("b", state)])).toBe(false);
  }
  expect(verdict([named("a", "ok")])).toBe("All is well.");
  expect(
    verdict([
      named("a", "ok"),
      named("b", "failed"),
      named("b", "failed"),
      named("c", "different"),
      named("d", "skipped"),
    ]),
  ).toBe("Not well: b, c.");
});
