import { expect, test } from "vitest";
import { withVerdicts } from "./Verdict.ts";

const fields = { "content-type": "application/json", "content-length": "2", "www-authenticate": "Bearer" };

/** What comes through of an answer, where bodies may have 10 bytes and take 50 milliseconds. */
const through = async (status: number, body: BodyInit | null) => {
  const fetch = withVerdicts(async () => new Response(body, { status, headers: fields }), 10, 50);
  const response = await fetch("http://upstream.example/", {});
  const { headers } = response;
  return [response.status, await response.text(), headers.get("content-type"), headers.get("www-authenticate")];
};

test("a refusal that is whole comes through as it is", async () => {
  expect(await through(401, "{}")).toEqual([401, "{}", "application/json", "Bearer"]);
  expect(await through(404, null)).toEqual([404, "", "application/json", "Bearer"]);
});

test("one whose body has no end loses it, and what it said of it", async () => {
  expect(await through(403, "x".repeat(11))).toEqual([403, "", null, "Bearer"]);
  expect(await through(401, new ReadableStream())).toEqual([401, "", null, "Bearer"]);
});

test("answers that are no refusal are not touched", async () => {
  expect(await through(200, "x".repeat(11))).toEqual([200, "x".repeat(11), "application/json", "Bearer"]);
  expect(await through(503, "x".repeat(11))).toEqual([503, "x".repeat(11), "application/json", "Bearer"]);
});
