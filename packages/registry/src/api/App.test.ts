import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Answer, RequestHead } from "./Answer.ts";
import { fetchHandler, loggedPath, pathIn, webDigest } from "./App.ts";

const logFields = { endpoint: undefined, user: undefined } as const;

/** What a handler is given and answers. */
const handled = async (
  url: string,
  init: RequestInit = {},
  answer: (head: RequestHead) => Promise<Partial<Answer>> = async () => ({}),
) => {
  const heads: Array<RequestHead> = [];
  const handler = fetchHandler(async (head) => {
    heads.push(head);
    return { status: 200, headers: { "X-Own": "1" }, body: "whole", logFields, ...(await answer(head)) };
  });
  const response = await handler(new Request(url, init));
  return { head: heads[0] as RequestHead, response };
};

test("a request comes with its method, its fields and its target", async () => {
  const { head } = await handled("https://a.example/x/y?z=%20", { method: "DELETE", headers: { "If-Match": "*" } });
  expect([head.method, head.target, head.header("if-match"), head.header("x")]).toEqual([
    "DELETE",
    "/x/y?z=%20",
    "*",
    null,
  ]);
  for (const [url, target] of [
    ["https://a.example", "/"],
    ["https://a.example?x", "/?x"],
    ["https://a.example/x#y", "/x"],
  ] as const) {
    expect((await handled(url)).head.target).toBe(target);
  }
});

const size = async (head: RequestHead, most: number): Promise<number> => (await head.body(most)).length;
const streamed = async (head: RequestHead, most: number): Promise<number> => {
  let bytes = 0;
  for await (const part of head.chunks(most)) bytes += part.length;
  return bytes;
};

test("a body is read up to a limit, whole or in parts", async () => {
  const init = { method: "POST", body: "12345" };
  const tooLong = { status: 413, message: "body is longer than 4 bytes" };
  for (const read of [size, streamed]) {
    const by = (most: number, sent: RequestInit) => {
      return handled("https://a.example/", sent, async (head) => ({ body: String(await read(head, most)) })).then(
        ({ response }) => response.text(),
      );
    };
    expect(await by(5, init)).toBe("5");
    await expect(by(4, init)).rejects.toMatchObject(tooLong);
    expect(await by(0, {})).toBe("0");
  }
});

test("an answer comes with its body, or with its stream and the length of it", async () => {
  const isEmpty = new Set([204, 304]);
  for (const [method, answer, text, length] of [
    ["GET", {}, "whole", null],
    ["GET", { body: new Uint8Array([0x61]) }, "a", null],
    ["HEAD", {}, "", null],
    ["GET", { status: 204 }, "", null],
    ["GET", { status: 304 }, "", null],
    ["GET", { status: 404 }, "whole", null],
    ["GET", { stream: { length: 4, bytes: new Blob(["part"]).stream() } }, "part", "4"],
    ["HEAD", { stream: { length: 4, bytes: undefined } }, "", "4"],
  ] as const) {
    const { response } = await handled("https://a.example/", { method }, async () => answer);
    const status = "status" in answer ? answer.status : 200;
    expect([method, answer, response.status, response.headers.get("x-own")]).toEqual([method, answer, status, "1"]);
    expect([await response.clone().text(), response.headers.get("content-length")]).toEqual([text, length]);
    expect(response.body === null).toBe(method === "HEAD" || isEmpty.has(status));
  }
});

test("the digest of a body is half of its SHA-256, of text and of bytes alike", async () => {
  const half = createHash("sha256").update("é").digest().subarray(0, 16).toString("base64").replace(/=+$/, "");
  expect([await webDigest("é"), await webDigest(new TextEncoder().encode("é"))]).toEqual([half, half]);
});

test("a log has the start of a path, without query and credentials", () => {
  expect([pathIn("/a?b?c"), pathIn("/a"), pathIn("?b")]).toEqual(["/a", "/a", ""]);
  for (const [target, logged] of [
    ["/engines/x?token=bnt_0123456789abcdef", "/engines/x"],
    ["/engines/bnt_0123456789abcdef/BNK_01234567/status", "/engines/[redacted]/[redacted]/status"],
    ["/engines/eyJhbGciOiJIUzI1NiJ9.e30.c2ln@0.1", "/engines/[redacted]@0.1"],
    ["/engines/bnt_0123456/eyJ", "/engines/bnt_0123456/eyJ"],
    [`/${"x".repeat(199)}`, `/${"x".repeat(199)}`],
    [`/${"x".repeat(200)}`, `/${"x".repeat(199)}`],
  ] as const) {
    expect(loggedPath(target)).toBe(logged);
  }
});
