// Valid and invalid Authorization fields, byte by byte.
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { startOrigin, startProxy } from "./origin.ts";

/** Head and body of the answer to a request with these header lines, sent as they are. */
const send = async (
  url: string,
  lines: ReadonlyArray<Buffer>,
  path = "/engines/sound",
  method = "GET",
): Promise<string> => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const head = Buffer.from(`${method} /v1/dev${path} HTTP/1.1\r\nhost: proxy\r\naccept: application/json\r\n`);
  const ends = Buffer.from("connection: close\r\n\r\n");
  socket.end(Buffer.concat([head, ...lines.map((line) => Buffer.concat([line, Buffer.from("\r\n")])), ends]));
  let answer = "";
  socket.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1")));
  await once(socket, "close");
  return answer;
};

const authorization = (...bytes: ReadonlyArray<number | string>): Buffer =>
  Buffer.concat([
    Buffer.from("authorization: "),
    ...bytes.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from([part]))),
  ]);

test.each<[string, ReadonlyArray<Buffer>]>([
  ["Latin-1", [authorization("tok", 0xe9, "n")]],
  ["another byte of Latin-1", [authorization("tok", 0xe8, "n")]],
  ["UTF-8", [authorization("tokén")]],
  ["invalid UTF-8", [authorization("tok", 0xff, 0xfe)]],
  ["UTF-8 after a scheme", [authorization("Bearer tokén")]],
  ["a character beyond the plane", [authorization("tok😀")]],
  ["a tab within", [authorization("tok", 0x09, "en")]],
  ["a space within", [authorization("Bearer to ken")]],
  ["two spaces", [authorization("Bearer  token")]],
  ["a tab after the scheme", [authorization("Bearer", 0x09, "token")]],
  ["a no-break space", [authorization("Bearer", 0xa0, "token")]],
  ["parameters", [authorization('Digest username="a", realm="b"')]],
  ["an invalid scheme", [authorization("Bea(rer token")]],
  ["a scheme without a credential", [authorization("Bearer")]],
  ["two of them", [authorization("one"), authorization("two")]],
])("a credential with %s is 401, and reaches nobody", async (_what, lines) => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const answer = await send(proxy.url, lines);
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
  expect(answer).toMatch(/^www-authenticate: Bearer\r$/im);
  expect(answer).toMatch(/"code":16,"message":"the Authorization field /);
  expect((await origin.state()).asked).toEqual([]);
});

// The runtime does not distinguish an empty field from none. What Connection lists is for the hop to the proxy alone.
test.each<[string, ReadonlyArray<Buffer>]>([
  ["is empty", [authorization()]],
  ["is white space", [authorization(" ", 0x09, " ")]],
  ["Connection lists", [authorization("other"), Buffer.from("connection: authorization")]],
])("a credential that %s is none: nothing stored is given, and nothing is stored", async (_what, lines) => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  await (await proxy.get("token", "/engines/sound")).text();
  for (let count = 0; count < 2; count++)
    expect(await send(proxy.url, lines)).toMatch(/^cache-status: .*; fwd=bypass\r$/im);
  const { asked } = await origin.state();
  expect(asked).toHaveLength(3);
});

test("whatever is stored, a credential that differs in one byte gets nothing of it", async () => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  for (const token of ["token", "Bearer token", "Basic token"]) await (await proxy.get(token, "/engines/sound")).text();
  const { asked } = await origin.state();
  // Raw and Bearer are one token (the upstream takes both); another scheme is another credential.
  expect(asked).toHaveLength(2);
  for (let byte = 0x21; byte <= 0xff; byte++) {
    const answer = await send(proxy.url, [authorization("toke", byte)]);
    expect([byte, /hit;/.test(answer)]).toEqual([byte, byte === 0x6e]);
  }
});

test.each(["token", "bearer token", "BEARER token", "Basic dG9rOmVu", "a!#$%&'*+-.^_`|~b", `x${"~".repeat(8_000)}`])(
  "%s is one, and goes upstream as it came",
  async (credential) => {
    const origin = await startOrigin();
    const proxy = await startProxy(origin.url);
    for (const result of ["fwd=uri-miss", "hit"]) {
      const response = await proxy.get(credential, "/engines/sound");
      expect([response.status, response.headers.get("cache-status")]).toEqual([200, expect.stringContaining(result)]);
      expect(((await response.json()) as { readonly owner: string }).owner).toBe(credential);
    }
  },
);

test.each(["/engines/sound", "/projects"])("TRACE of %s is refused, with a token or without one", async (path) => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  for (const lines of [[authorization("token")], []]) {
    const answer = await send(proxy.url, lines, path, "TRACE");
    expect(answer).toMatch(/^HTTP\/1.1 (?:405|501) /);
    expect(answer).not.toContain("token");
  }
  expect((await origin.state()).asked).toEqual([]);
});
