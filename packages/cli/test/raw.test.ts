import { json, startServer } from "@bytenite-engines/test-kit/ports";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, expect, test } from "vitest";
import { as, bne } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";
import { trial } from "./Trial.ts";

const { registry, home, bob } = await trial();

/** Answers with what it was sent. */
const echo = await startServer((request, response) => {
  void (async () => {
    const body = await text(request);
    json(response, 200, { method: request.method, url: request.url, type: request.headers["content-type"], body });
  })();
});
afterAll(() => echo[Symbol.asyncDispose]());
const echoed = async (args: ReadonlyArray<string>, input = ""): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await bne(home, ["raw", ...args], {
    env: { BYTENITE_BASE_URL: echo.baseUrl, BYTENITE_TOKEN: "x" },
    input,
  });
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
};

test("raw writes JSON as it came, as lines, as YAML, or asks for protobuf", async () => {
  const env = { BYTENITE_BASE_URL: echo.baseUrl, BYTENITE_TOKEN: "x", BYTENITE_OUTPUT: "csv" };
  const raw = (...args: ReadonlyArray<string>) => bne(home, ["raw", "/engines", ...args], { env });
  expect((await raw("-o", "json")).stdout).toBe((await raw()).stdout);
  expect((await raw("-o", "ndjson")).stdout).toBe(`${(await raw()).stdout}\n`);
  expect((await raw("-o", "yaml")).stdout).toBe('method: GET\nurl: /v1/dev/engines\nbody: ""\n');
  expect((await bob("raw", "/engines", "-o", "protobuf", "--include")).stderr).toContain("application/x-protobuf");
  expect((await raw("-o", "csv")).stderr).toContain("--output must be one of json, ndjson, yaml, protobuf");
  expect((await raw("-o", "yaml", "--jq", ".")).code).toBe(2);
});

test("raw takes a path alone, and every method", async () => {
  expect(await echoed(["/engines"])).toMatchObject({ method: "GET", url: "/v1/dev/engines", body: "" });
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    expect(await echoed([method, "/engines/x"])).toMatchObject({ method, url: "/v1/dev/engines/x" });
  }
  expect(await echoed(["delete", "/engines/x"])).toMatchObject({ method: "DELETE" });
  const head = await bne(home, ["raw", "HEAD", "/engines", "--include"], {
    env: { BYTENITE_BASE_URL: echo.baseUrl, BYTENITE_TOKEN: "x" },
  });
  expect(head).toMatchObject({ code: 0, stdout: "" });
  expect(head.stderr).toMatch(/^200 /);
  expect((await bob("raw", "FETCH", "/engines")).stderr).toContain("There is no method");
  expect((await bob("raw")).stderr).toContain("bne raw needs PATH");
});

test("a URL in place of the path is refused, and nothing is sent", async () => {
  registry.requests.length = 0;
  for (const url of ["http://127.0.0.1:9/engines", "HTTPS://api.example/v1/dev/engines", "file:///etc/passwd"]) {
    const { code, stderr } = await bne(home, ["raw", url], { env: as(registry, "bob") });
    expect({ url, code }).toEqual({ url, code: 2 });
    expect(stderr).toContain("PATH is a path below the base URL, not a URL");
  }
  expect(registry.requests).toEqual([]);
});

test("fields go into the query of a GET, and into the JSON of anything else", async () => {
  expect(await echoed(["/engines", "--field", "pagination.limit=1", "-f", "orderBy=a b&c"])).toMatchObject({
    url: "/v1/dev/engines?pagination.limit=1&orderBy=a+b%26c",
  });
  const { body, type } = await echoed([
    "POST",
    "/engines",
    ...[
      "engineTag=zipper@0.1",
      "n=5",
      "big=12345678901234567890",
      "on=true",
      "none=null",
      "empty=",
      "text=a=b",
    ].flatMap((field) => ["--field", field]),
  ]);
  expect(type).toBe("application/json");
  expect(JSON.parse(String(body))).toEqual({
    engineTag: "zipper@0.1",
    n: 5,
    big: "12345678901234567890",
    on: true,
    none: null,
    empty: "",
    text: "a=b",
  });
  expect((await bob("raw", "/engines", "--field", "novalue")).code).toBe(2);
});

test("a body comes from a file or from stdin", async () => {
  writeFileSync(join(home.path, "body.json"), '{"from": "file"}');
  expect(await echoed(["/engines", "--input", "body.json"])).toMatchObject({
    method: "POST",
    body: '{"from": "file"}',
  });
  expect(await echoed(["PUT", "/engines", "--input", "-", "--content-type", "text/plain"], "from stdin")).toMatchObject(
    {
      method: "PUT",
      type: "text/plain",
      body: "from stdin",
    },
  );
  expect((await bob("raw", "GET", "/engines", "--input", "body.json")).code).toBe(2);
  expect((await bob("raw", "POST", "/engines", "--input", "nothing.json")).stderr).toContain(
    "Cannot read nothing.json",
  );
  const input = "x".repeat(67_108_865);
  const large = await bne(home, ["raw", "POST", "/engines", "--input", "-"], { env: as(registry, "bob"), input });
  expect(large).toMatchObject({ code: 2, stderr: "bne: stdin is larger than 67108864 bytes\n" });
});

test("--all reads every page", async () => {
  const { code, stdout } = await bob("raw", "/engines?pagination.limit=1", "--all", "--jq", ".engines[].version");
  expect({ code, stdout }).toEqual({ code: 0, stdout: "1.2\n0.9\n0.10\n" });
});

test("a request other than GET is sent once", async () => {
  registry.faults.set([{ fault: { status: 503 } }]);
  registry.requests.length = 0;
  expect((await bob("raw", "POST", "/engines", "--field", "a=b")).code).toBe(5);
  expect(registry.requests.length).toBeLessThanOrEqual(1);
  registry.faults.set([{ fault: { status: 413 } }]);
  const tooLarge = await bob("raw", "POST", "/engines", "--field", "a=b", "-o", "json");
  expect({ code: tooLarge.code, error: JSON.parse(tooLarge.stderr.trim().split("\n").at(-1) ?? "") }).toMatchObject({
    code: 7,
    error: { error: { status: 413 } },
  });
});

for (const columns of [60, 80, 140]) {
  test(`JSON is coloured and indented on a terminal of ${columns} columns, and as it came elsewhere`, async () => {
    const run = onTerminal(home, ["raw", "/engines/word-count"], { env: as(registry, "bob"), columns });
    expect(await run.ended).toBe(0);
    expect(run.raw()).toContain('\u001b[1m"name"\u001b[22m: \u001b[32m"word-count"\u001b[39m');
    const plain = onTerminal(home, ["raw", "/engines/word-count", "--color", "never"], {
      env: as(registry, "bob"),
      columns: 400,
    });
    expect(await plain.ended).toBe(0);
    const { stdout } = await bob("raw", "/engines/word-count");
    expect(JSON.parse((await plain.screen()).join("\n"))).toEqual(JSON.parse(stdout));
    expect(stdout).not.toContain("\n  ");
  });
}
