import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { RequestHead } from "../api/Answer.ts";
import { headOf, headWhenAsked } from "./RequestReading.ts";

type Reading = (head: RequestHead, request: IncomingMessage) => Promise<unknown>;

const isTrusted = (address: string): boolean => /^127\.0\.0\.[1-5]$|^10\./.test(address);

/** What a server reads of a request, and all bytes that its client gets. */
const exchanged = async (
  text: string,
  read: Reading,
  localAddress = "127.0.0.1",
  answers = 1,
): Promise<{ readonly read: unknown; readonly got: string }> => {
  let known: unknown;
  const server = createServer({ requireHostHeader: false }, async (request, response) => {
    known = await read(headOf(request, isTrusted), request).catch((error: Error) => error.message);
    response.end("end");
  });
  server.on("checkContinue", async (request, response) => {
    known = await read(headWhenAsked(request, response, isTrusted), request).catch((error: Error) => error.message);
    response.end("end");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const got = await new Promise<string>((resolve) => {
    let got = "";
    const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", localAddress });
    socket.on("data", (part) => {
      got += part.toString();
      if (got.split("\nend").length > answers) socket.destroy();
    });
    socket.on("close", () => resolve(got));
    socket.write(text);
  });
  return { read: known, got };
};

test.for<[string, string]>([
  ["", "127.0.0.1"],
  ["192.0.2.1", "192.0.2.1"],
  ["203.0.113.9, 192.0.2.1", "192.0.2.1"],
  ["203.0.113.9, 192.0.2.1:80 , 10.0.0.1, 127.0.0.5", "192.0.2.1"],
  ["[2001:db8::1]:80", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"],
  ["10.0.0.1", "127.0.0.1"],
  ["192.0.2.1, somebody", "unknown"],
  ["192.0.2.1, _x, 10.0.0.1", "unknown"],
  ["192.0.2.1, 10.x", "unknown"],
])("of a client of a trusted proxy that names %j the address is %s", async ([names, address]) => {
  const field = names === "" ? "" : `X-Forwarded-For: ${names}\r\n`;
  const { read } = await exchanged(`GET / HTTP/1.1\r\n${field}\r\n`, async (head) => head.address);
  expect(read).toBe(address);
  const direct = await exchanged(`GET / HTTP/1.1\r\n${field}\r\n`, async (head) => head.address, "127.0.0.9");
  expect(direct.read).toBe("127.0.0.9");
});

test.for<[string, string, string, string | null]>([
  ["/a?b", "Host: x", "/a?b", "x"],
  ["http://y:1/a?b", "Host: x", "/a?b", "y:1"],
  ["HTTPS://me@y", "Host: x", "/", "y"],
  ["http://y?b", "Host: x", "/?b", "y"],
  ["http://y/a/", "Host: x", "/a/", "y"],
  ["*", "Other: x", "*", null],
  ["/", "Host: x\r\nhost: z", "/", "x, z"],
])("of target %s with %j the path is %s, and the host %s", async ([target, field, path, host]) => {
  const { read } = await exchanged(`OPTIONS ${target} HTTP/1.1\r\n${field}\r\n\r\n`, async (head) => [
    head.method,
    head.target,
    head.header("host"),
  ]);
  expect(read).toEqual(["OPTIONS", path, host]);
});

test("of tokens that are sent twice none is chosen, and other fields are as they are", async () => {
  const fields = "Authorization: a\r\nAUTHORIZATION: b\r\nAuthorizatio: c\r\nAccept: d\r\nAccept: e";
  const { read } = await exchanged(`GET / HTTP/1.1\r\n${fields}\r\n\r\n`, async (head) =>
    ["authorization", "accept", "x-request-id"].map((name) => head.header(name)),
  );
  expect(read).toEqual(["a, b", "d, e", null]);
});

const post = (expect: string, length = 4): string =>
  `POST / HTTP/1.1\r\nHost: x\r\n${expect}Content-Length: ${length}\r\n\r\n${"abcdefgh".slice(0, length)}`;

const whole: Reading = async (head) => new TextDecoder().decode(await head.body(4));

const parts: Reading = async (head) => {
  let text = "";
  for await (const part of head.chunks(4)) text += new TextDecoder().decode(part);
  return text;
};

test.for<[string, Reading]>([
  ["whole", whole],
  ["in parts", parts],
])("a body is read %s up to its limit, and asked for where its client waits", async ([, reading]) => {
  expect(await exchanged(post(""), reading)).toMatchObject({ read: "abcd" });
  const asked = await exchanged(post("Expect: 100-continue\r\n"), reading);
  expect(asked).toEqual({
    read: "abcd",
    got: expect.stringMatching(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /) as unknown,
  });
  const longer = await exchanged(post("", 5), reading);
  expect(longer.read).toMatch(/4 bytes/);
  expect(longer.got).toMatch(/^HTTP\/1\.1 200 /);
});

test("a body that is announced as too long is not asked for", async () => {
  const { read, got } = await exchanged(post("Expect: 100-continue\r\n", 5), whole);
  expect(read).toMatch(/4 bytes/);
  expect(got).toMatch(/^HTTP\/1\.1 200 /);
});

test.for<[string, Reading]>([
  ["whole", whole],
  ["in parts", parts],
])("a body read %s that is cut short is an error of its own", async ([, reading]) => {
  const { read } = await exchanged(post("", 4).slice(0, -2), async (head, request) => {
    setImmediate(() => request.socket.destroy());
    return reading(head, request);
  });
  expect(read).toBe("the request was cut short");
});

test.for<[string, Reading]>([
  ["whole", whole],
  ["in parts", parts],
])("what follows a body read %s that is longer than its limit is the next request", async ([, reading]) => {
  const read: Array<unknown> = [];
  const noting: Reading = async (head, request) => {
    read.push([head.method, await reading(head, request).catch(() => "too long")]);
  };
  const long = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300_000)}`;
  const { got } = await exchanged(`${long}GET / HTTP/1.1\r\nHost: x\r\n\r\n`, noting, undefined, 2);
  expect(got.match(/HTTP\/1\.1 200 /g)).toHaveLength(2);
  expect(read).toEqual([
    ["POST", "too long"],
    ["GET", ""],
  ]);
});
