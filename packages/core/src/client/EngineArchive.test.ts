import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { createEngineClient, type ClientOptions, type EngineError } from "../promise.ts";

const bytes = Uint8Array.from({ length: 1_000 }, (_, at) => at % 251);
const hash = createHash("sha256").update(bytes).digest("base64");

/** Downloads from storage that answers each request with the next of these; gives the outcome, and what was asked of whom. */
const downloaded = async (
  answers: ReadonlyArray<() => Response>,
  { engine = {}, ...options }: ClientOptions & { engine?: object } = {},
) => {
  const asked: Array<string> = [];
  const client = createEngineClient({
    baseUrl: "http://a.example",
    format: "json",
    retry: { maxAttempts: 1 },
    fetch: (url, { method }) => {
      const { host, pathname } = new URL(url);
      asked.push(`${method} ${host}${pathname}`);
      if (pathname.endsWith("/download"))
        return Promise.resolve(Response.json({ engineLink: "https://b.example/x?s=1" }));
      if (host === "a.example")
        return Promise.resolve(Response.json({ name: "zipper", version: "0.1", hash, ...engine }));
      const number = asked.filter((line) => line.endsWith("b.example/x")).length;
      return Promise.resolve((answers[number - 1] ?? answers.at(-1) ?? whole())());
    },
    ...options,
  });
  const outcome = await client
    .archive("zipper")
    .then(async (archive) => ({ mediaType: archive.mediaType, length: archive.length, bytes: await archive.bytes() }))
    .catch((cause: unknown) => cause as EngineError);
  return { asked, outcome };
};

const whole =
  (headers: Record<string, string> = {}) =>
  () =>
    new Response(bytes, { headers });
const failing =
  (status: number, body = "") =>
  () =>
    new Response(body, { status });
const [engine, link, storage] = [
  "GET a.example/engines/zipper",
  "GET a.example/engines/zipper@0.1/download",
  "GET b.example/x",
];

test("an archive has its bytes, its length and its media type, where these are known", async () => {
  const known = await downloaded([whole({ "content-type": "application/x-tar", "content-length": "1000" })]);
  expect(known.outcome).toEqual({ mediaType: "application/x-tar", length: 1_000, bytes });
  expect(known.asked).toEqual([engine, link, storage]);
  const unknown = await downloaded([whole()]);
  expect(unknown.outcome).toEqual({ mediaType: undefined, length: undefined, bytes });
  // Without a version, the link is for the tag that was given.
  const { asked } = await downloaded([whole()], { engine: { version: "" } });
  expect(asked[1]).toBe("GET a.example/engines/zipper/download");
});

test.for<[status: number, again: boolean]>([
  [403, true],
  [404, true],
  [410, true],
  [401, false],
  [400, false],
  [503, false],
])("whether another link is asked for after %i from storage: %s", async ([status, again]) => {
  const { asked, outcome } = await downloaded([failing(status), whole()]);
  expect(asked).toEqual([engine, link, storage, ...(again ? [link, storage] : [])]);
  expect("bytes" in outcome).toBe(again);
});

test.for<[limit: number, headers: Record<string, string>, tag: string | undefined]>([
  [1_000, {}, undefined],
  [1_000, { "content-length": "1000" }, undefined],
  [999, {}, "TooLarge"],
  [1_000, { "content-length": "1001" }, "TooLarge"],
])("with %i bytes at most, an archive of 1,000 with %j ends with %s", async ([maxArchiveBytes, headers, tag]) => {
  const { outcome } = await downloaded([whole(headers)], { limits: { maxArchiveBytes } });
  expect("reason" in outcome ? outcome.reason._tag : undefined).toBe(tag);
});

test.for<[hash: string]>([[""], ["AAAA"], [`${hash}AAAA`], ["no base64"]])(
  "an engine with the hash %j has no archive that can be trusted, and no link is asked for",
  async ([hash]) => {
    const { asked, outcome } = await downloaded([whole()], { engine: { hash } });
    expect(outcome).toMatchObject({ reason: { _tag: "Undecodable" }, attempts: 1 });
    expect(asked).toEqual([engine]);
  },
);

/** A refusal with a body of so many bytes. */
const said = (length: number) => failing(400, `{"message":"${"m".repeat(length - 14)}"}`);

test("64 KiB of an error of storage are read, and what it says is shown without the signature of the link", async () => {
  const { outcome: short } = await downloaded([said(65_536)]);
  expect(short).toMatchObject({ reason: { _tag: "InvalidArgument" }, url: "https://b.example/x" });
  const { outcome: long } = await downloaded([said(65_537)]);
  expect(long).toMatchObject({ reason: { _tag: "TooLarge", value: 65_536 }, url: "https://b.example/x" });
});

test.for([201, 204, 206])("an answer of storage with the status %i is not the archive", async (status) => {
  const { outcome } = await downloaded([() => new Response(status === 204 ? null : bytes, { status })]);
  expect(outcome).toHaveProperty("reason");
});
