import { type FaultRule } from "@bytenite-engines/registry/testing";
import { closeSync, existsSync, mkdtempSync, openSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { createServer } from "node:net";
import { json, listen, startServer } from "@bytenite-engines/test-kit/ports";
import { resultOf, type Result } from "@bytenite-engines/test-kit/process";
import { as, binPath, bne } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";
import { trial } from "./Trial.ts";

const { registry, home, alice } = await trial();

const preferring = (output: string, ...args: ReadonlyArray<string>): Promise<Result> =>
  bne(home, args, { env: { ...as(registry, "alice"), BYTENITE_OUTPUT: output } });
const failing = (fault: FaultRule["fault"], ...args: ReadonlyArray<string>): Promise<Result> => {
  registry.faults.set([{ fault }]);
  return alice(...args);
};

test("a tag that there is not is 3, on a terminal with the closest one", async () => {
  const { code, stdout, stderr } = await alice("get", "ziper@0.1");
  expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
  expect(stderr).toMatch(
    /^bne: Not found at 127\.0\.0\.1:\d+: ziper@0\.1\n`bne list` shows the engines there are\.\n$/,
  );
  for (const [args, said] of [
    [["get", "ziper@0.1"], /ziper@0\.1\r\nDid you mean zipper@0\.1\?/],
    [["status", "zipper@9.9"], /status of zipper@9\.9\r\nDid you mean zipper@0\.1\?/],
  ] as const) {
    const run = onTerminal(home, args, { env: as(registry, "alice"), columns: 140 });
    expect(await run.ended).toBe(3);
    expect(run.raw()).toMatch(said);
  }
});

test("a base URL without its path is 3, and the hint shows one with it", async () => {
  const origin = new URL(registry.url).origin;
  const { code, stderr } = await alice("list", "--base-url", origin);
  expect(code).toBe(3);
  expect(stderr).toContain(`Does the base URL lack its path? It looks like ${origin}/v1/dev.\n`);
});

test("an invalid tag is 2, before anything is sent", async () => {
  registry.requests.length = 0;
  expect((await alice("get", "../secret")).code).toBe(2);
  expect(registry.requests).toHaveLength(0);
});

test("of several tags, each one that the server calls invalid is named", async () => {
  registry.faults.set([{ times: 2, fault: { status: 400 } }]);
  const { code, stderr } = await alice("status", "zipper", "fanout-urls");
  expect(code).toBe(2);
  for (const tag of ["zipper", "fanout-urls"]) {
    expect(stderr).toContain(`calls the request for status of ${tag} invalid (400)`);
  }
});

test.each([
  [["raw", "POST", "/engines", "--input", "nope.json"], "Cannot read nope.json: it does not exist\n"],
  [["list", "--deadline", "0"], 'not "0"\n'],
])("%j says why it fails", async (args, said) => {
  const { code, stderr } = await alice(...args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(new RegExp(`${said}$`)) as unknown });
});

test("a proxy that cannot be used is 2, by the name of its variable", async () => {
  const HTTPS_PROXY = "socks5://u:p4ssw0rd@127.0.0.1:1080";
  for (const args of [["list"], ["auth", "login"]]) {
    const run = await bne(home, args, { env: { ...as(registry, "alice"), HTTPS_PROXY }, input: "local-alice" });
    const stderr = "bne: HTTPS_PROXY is not the URL of an http or https proxy, as in http://127.0.0.1:3128\n";
    expect({ args, ...run }).toEqual({ args, code: 2, stdout: "", stderr });
  }
});

test.each([
  ["a control character in a header", "x: \u001b\r\n\r\n", "HPE_INVALID_HEADER_TOKEN"],
  ["a header without end", `x: ${"x".repeat(70_000)}`, "HPE_HEADER_OVERFLOW"],
])("an answer with %s is 6, after it came twice", async (_, fields, code) => {
  let asked = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => void socket.write(`HTTP/1.1 200 OK\r\n${fields}`));
    asked++;
  });
  const env = { BYTENITE_BASE_URL: `${await listen(server)}/v1/dev`, BYTENITE_WIRE_FORMAT: "json" };
  const run = await bne(home, ["list"], { env });
  server.close();
  const said = `: it is no valid HTTP (${code})`;
  expect({ code: run.code, asked }).toEqual({ code: 6, asked: 2 });
  expect(run.stderr).toMatch(/^bne: The answer of 127\.0\.0\.1:\d+ cannot be read/m);
  expect(run.stderr).toContain(`${said}, after 2 attempts\n\`bne doctor\``);
});

test("what fails where the link of an archive leads is not blamed on the base URL or the login", async () => {
  await using store = await startServer((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, status === 302 ? { location: "http://localhost:1/a" } : {}).end();
  });
  let link = "";
  let version = "0.1";
  await using server = await startServer((request, response) =>
    json(
      response,
      200,
      request.url?.includes("/download") === true
        ? { engineTag: "zipper@0.1", engineLink: link }
        : { name: "zipper", version, hash: Buffer.alloc(32).toString("base64") },
    ),
  );
  // 200 without the bytes of the hash.
  for (link of [...[200, 302, 401, 404].map((status) => `${store.origin}/${status}`), "http://127.0.0.1:9/a"]) {
    const env = { BYTENITE_BASE_URL: server.baseUrl, BYTENITE_TOKEN: "t", BYTENITE_WIRE_FORMAT: "json" };
    const { stderr } = await bne(home, ["pull", "zipper", "--attempts", "1"], { env });
    const hint = "The link of the server leads there: try again later, or ask who runs the server.\n";
    expect({ link, stderr }).toEqual({ link, stderr: expect.stringMatching(/^bne: .*\n/) as unknown });
    expect({ link, hint: stderr.split(/(?<=^bne: .*\n)/)[1] }).toEqual({ link, hint });
  }
  link = "javascript:alert(1)";
  const env = { BYTENITE_BASE_URL: server.baseUrl, BYTENITE_TOKEN: "t", BYTENITE_WIRE_FORMAT: "json" };
  const { stderr } = await bne(home, ["pull", "zipper"], { env });
  expect(stderr).toMatch(/: the download link is neither https nor to this machine\n`bne doctor`/);
  version = "../1";
  const unnamed = await bne(home, ["pull", "zipper"], { env });
  expect(unnamed.code).toBe(6);
  expect(unnamed.stderr).toMatch(/: the engine has a name and a version that make no tag\n`bne raw GET PATH`/);
});

test("a request for this machine goes through no proxy of the environment, nor does its token", async () => {
  await using proxy = await startServer((_, response) => json(response, 200, { engines: [] }));
  const env = { ...as(registry, "alice"), HTTP_PROXY: proxy.origin };
  for (const url of [registry.url, registry.url.replace("127.0.0.1", "localhost")]) {
    const { code, stdout } = await bne(home, ["list", "-o", "name"], { env: { ...env, BYTENITE_BASE_URL: url } });
    expect({ url, code, stdout }).toEqual({ url, code: 0, stdout: expect.stringContaining("zipper") as unknown });
  }
  expect(proxy.requests).toHaveLength(0);
});

test("a proxy of the environment that does not listen is named", async () => {
  for (const [base, tls] of [
    ["http://a.test/v1/dev", "failed +plain HTTP"],
    ["https://a.test/v1/dev", "unknown +not looked at: requests go through the proxy http://127.0.0.1:9\n"],
  ] as const) {
    const env = { BYTENITE_BASE_URL: base, BYTENITE_TOKEN: "t", HTTP_PROXY: "127.0.0.1:9", HTTPS_PROXY: "127.0.0.1:9" };
    const { code, stderr } = await bne(home, ["list", "--attempts", "1"], { env });
    expect({ code, stderr }).toEqual({
      code: 5,
      stderr:
        "bne: Nothing listens at http://127.0.0.1:9 (ECONNREFUSED)\nThat is the proxy which HTTP_PROXY or HTTPS_PROXY names; NO_PROXY lists hosts that need none.\n",
    });
    const { stdout } = await bne(home, ["doctor"], { env });
    expect(stdout).toMatch(new RegExp(`^name +proxy 127.0.0.1 .*\n^tls +${tls}`, "m"));
    expect(stdout).toMatch(/^answer +failed +none: ECONNREFUSED, through the proxy http:\/\/127.0.0.1:9$/m);
  }
});

test("the refusal of a proxy is told", async () => {
  const proxy = createServer((socket) => socket.once("data", () => socket.end("HTTP/1.1 407 Who\x1b Are You\r\n\r\n")));
  const HTTPS_PROXY = (await listen(proxy)).replace("//", "//user:p4ss@");
  const env = { BYTENITE_BASE_URL: "https://a.test/v1/dev", BYTENITE_TOKEN: "t", HTTPS_PROXY };
  const said = "the proxy 127\\.0\\.0\\.1:\\d+ answered CONNECT with 407 Who\\\\u001b Are You";
  const { stderr } = await bne(home, ["list", "--attempts", "1"], { env });
  expect(stderr).toMatch(new RegExp(`^bne: a.test through http://127.+ cannot be reached \\(${said}\\)\n`));
  const { stdout } = await bne(home, ["doctor"], { env });
  expect(stdout).toMatch(new RegExp(`^answer +failed +none: ${said}, through the proxy http://127.+\n`, "m"));
  expect(stderr + stdout).not.toContain("p4ss");
  proxy.close();
});

test("a token that is not accepted is 4, and so is none", async () => {
  const refused = await bne(home, ["list"], { env: { ...as(registry, "alice"), BYTENITE_TOKEN: "wrong" } });
  expect(refused.code).toBe(4);
  expect(refused.stderr).toMatch(/does not accept the credentials \(401\).*\nLog in with `bne auth login`/);
  for (const args of [["list"], ["raw", "/engines"]]) {
    const without = await bne(home, args, { env: { BYTENITE_BASE_URL: registry.url } });
    expect(without.code).toBe(4);
    expect(without.stderr).toMatch(/asks for credentials, and none were sent \(401\).*\nLog in with `bne auth login`/);
  }
  expect((await failing({ status: 403 }, "list")).code).toBe(4);
});

test("a server that cannot answer is 5 after all attempts, and each retry is reported as it happens", async () => {
  const { code, stdout, stderr } = await failing({ status: 503 }, "list");
  expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
  expect(stderr.match(/^127\.0\.0\.1:\d+ answered 503; retrying in .* \(attempt [234] of 4\)$/gm)).toHaveLength(3);
  expect(stderr).toMatch(/bne: 127\.0\.0\.1:\d+ cannot answer now \(503\).*, after 4 attempts\n/);
  const quiet = await failing({ status: 503 }, "list", "--quiet", "--attempts", "2");
  expect(quiet.stderr).not.toMatch(/retrying/);
});

test("a server that recovers is waited out, and the retry is all that stderr shows", async () => {
  registry.faults.set([{ times: 1, fault: { status: 503 } }]);
  const { code, stderr } = await alice("list");
  expect(code).toBe(0);
  expect(stderr).toMatch(/^127\.0\.0\.1:\d+ answered 503; retrying in [\d.]+ m?s \(attempt 2 of 4\)\n$/);
});

test("a retry after an answer that cannot be read says so, and a watch that ends names its own limit", async () => {
  const cut = await failing({ body: { text: "{" }, contentType: "application/json" }, "list", "--wire-format", "json");
  expect(cut.stderr).toMatch(/^127\.0\.0\.1:\d+ answered 200, which cannot be read; retrying in /);
  const watch = await failing({ silent: true }, "watch", "--timeout", "500ms");
  expect(watch.stderr).toContain("\nGive it more time with --deadline 2m, or a longer --timeout; `bne doctor`");
});

test("too many requests is 5, with the wait that the server asks for", async () => {
  const { code, stderr } = await failing({ status: 429, hint: { kind: "retry-after", seconds: 3600 } }, "list");
  expect(code).toBe(5);
  expect(stderr).toMatch(/too many requests \(429\); it asks to wait 60 min/);
  expect(stderr).toContain("bne doctor");
});

test("a wait of centuries is printed in words", async () => {
  const days = await failing({ status: 429, hint: { kind: "retry-after", seconds: 864_000 } }, "list");
  expect(days.stderr).toContain("it asks to wait 10 d");
  const { stderr } = await failing({ status: 429, hint: { kind: "retry-after", seconds: 999_999_999_999 } }, "list");
  expect(stderr).toContain("it asks to wait more than a year");
});

test("a working folder that is gone is said", async () => {
  const gone = mkdtempSync(join(home.path, "gone-"));
  const child = spawn("sh", ["-c", 'rmdir "$PWD" && exec "$0" "$1" list', process.execPath, binPath], {
    cwd: gone,
    env: { ...home.env, ...as(registry, "alice") },
  });
  const { code, stderr } = await resultOf(child);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: "bne: The working folder is not there any more\nChange to one that exists.\n",
  });
});

test("no answer in time is 5, and nothing listening is 5", async () => {
  const silent = await failing({ silent: true }, "list", "--deadline", "200ms");
  expect(silent.code).toBe(5);
  expect(silent.stderr).toMatch(/No answer from 127\.0\.0\.1:\d+ within 200 ms/);
  const failure = await failing({ silent: true }, "list", "--deadline", "200ms", "--verbose");
  expect(failure.stderr).toMatch(/^GET http:\S+\/engines\S* · timed out · \d+ ms · attempt 1$/m);
  const nowhere = { BYTENITE_BASE_URL: "http://127.0.0.1:9/v1/dev", BYTENITE_TOKEN: "x" };
  const again = await bne(home, ["list", "--attempts", "2"], { env: nowhere });
  expect(again.stderr).toMatch(
    /^cannot reach 127\.0\.0\.1:9; retrying in \d+ ms \(attempt 2 of 2\)\nbne: Nothing listens/,
  );
  const refused = await bne(home, ["list", "--attempts", "1"], { env: nowhere });
  expect(refused.code).toBe(5);
  expect(refused.stderr).toMatch(/Nothing listens at 127\.0\.0\.1:9 \(ECONNREFUSED\)\nPoint elsewhere with --base-url/);
});

test("a name that does not resolve is 5 and says how to set another address", async () => {
  const { code, stderr } = await bne(home, ["list", "--attempts", "1"], {
    env: { BYTENITE_BASE_URL: "http://nowhere.invalid/v1/dev", BYTENITE_TOKEN: "x" },
  });
  expect(code).toBe(5);
  expect(stderr).toMatch(
    /^bne: The name nowhere\.invalid does not resolve.*\nPoint elsewhere with --base-url URL, BYTENITE_BASE_URL, or `bne profile set/,
  );
});

test("an answer that cannot be read is 6, and so is a body cut short", async () => {
  const page = await failing({ body: "html", contentType: "text/html" }, "list");
  expect([page.code, page.stderr]).toEqual([
    6,
    expect.stringContaining("\nThat is a web page: does the base URL lead"),
  ]);
  expect((await failing({ cutBodyAfterBytes: 10 }, "list", "--wire-format", "json")).code).toBe(6);
  expect((await failing({ body: "garbage" }, "get", "zipper", "--wire-format", "json")).code).toBe(6);
});

test("an answer without any value is said", async () => {
  for (const args of [
    ["status", "zipper"],
    ["status", "zipper", "-o", "json"],
  ]) {
    const { code, stderr } = await failing({ body: { text: "{}" } }, ...args, "--wire-format", "json");
    expect({ args, code }).toEqual({ args, code: 0 });
    expect(stderr).toMatch(/the server answered without any value("|\n)/);
  }
});

test("an engine without a name is refused with 6", async () => {
  for (const text of ["{}", '{"engine": {"name": "zipper"}}', '{"id": "x", "status": "active"}']) {
    for (const args of [
      ["get", "zipper"],
      ["diff", "zipper", "zipper@0.1"],
      ["export", "zipper"],
      ["pull", "zipper"],
    ]) {
      const { code, stdout, stderr } = await failing({ body: { text } }, ...args, "--wire-format", "json");
      expect({ text, args, code, stdout }).toEqual({ text, args, code: 6, stdout: "" });
      expect(stderr).toMatch(
        /^bne: .* cannot be read: (?:it is an engine without a name|the engine has no SHA-256 .*)\n/,
      );
    }
  }
});

test("a file in a folder that does not exist is not written, and no folder is made", async () => {
  for (const args of [
    ["export", "--all", "--file"],
    ["doctor", "--emit-proto"],
  ]) {
    const { code, stderr } = await alice(...args, "no-such/folder/file");
    expect({ args, code }).toEqual({ args, code: 1 });
    expect(stderr).toMatch(/^bne: Cannot write .*no-such\/folder\/file: there is no folder .*no-such\/folder$/m);
    expect(existsSync(join(home.path, "no-such"))).toBe(false);
  }
});

test("a redirect to another origin is not followed, and is 6", async () => {
  for (const args of [["list"], ["raw", "/engines"], ["raw", "POST", "/engines"]]) {
    const { code, stderr } = await failing({ status: 302, headers: { location: "http://localhost:1/" } }, ...args);
    expect({ args, code }).toEqual({ args, code: 6 });
    expect(stderr).toMatch(/redirects, and it was not followed/);
  }
  expect((await failing({ status: 304 }, "raw", "/engines")).code).toBe(6);
});

test("a wrong command line is 2, with what was meant", async () => {
  for (const [args, hint] of [
    [["lits"], "Did you mean bne list?"],
    [["auth", "lgin"], "Did you mean bne auth login?"],
    [["auth"], "bne auth needs one of: login, status, logout, token"],
    [["list", "--ouput", "json"], "Did you mean --output?"],
    [["list", "--output", "jsno"], "Did you mean json?"],
    [["list", "--limit", "-1"], "--limit must be a whole number"],
    [["list", "--limit", "4294967296"], "--limit must be a whole number"],
    [["wait", "zipper", "--timeout", "5"], "--timeout must be a time such as 500ms"],
    [["list", "--base-url", "ftp://x"], "--base-url must be an http or https URL"],
    [["list", "--all=yes"], "--all takes no value"],
    [["list", "--type"], "--type needs a value"],
    [["list", "--everything"], "Other commands have it"],
    [["list", "extra"], 'bne list does not take "extra"'],
    [["get"], "bne get needs TAG"],
    [["list", "--columns", "nmae"], "Did you mean name?"],
    [["list", "--jq", ".["], "--jq"],
    [["list", "--jq", ".", "--output", "csv"], "--jq works on JSON"],
    [["list", "--columns", "name", "--output", "json"], "Choose fields of JSON with --jq"],
    [["get", "zipper", "passthrough", "--output", "protobuf"], "--output protobuf is for one engine"],
    [["--quiet"], "No command is given"],
    [["wait", "zipper", "--for", "condition=active"], "Did you mean --for active?"],
    [["wait", "zipper", "--for", "x".repeat(101)], `the status "${"x".repeat(100)}"\n`],
    [["list", "--jq", "engines"], "Did you mean .engines?"],
    [["config", "set", "timeout", "3s"], "Did you mean deadline?"],
    [["help", "tag"], "Did you mean bne help tags?"],
    [["help", "nonsense"], "Topics: exit-codes"],
    [["versions", "zipper@0.1"], "For all of its versions: bne versions zipper"],
  ] as const) {
    const { code, stdout, stderr } = await alice(...args);
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
    expect(stderr).toContain(hint);
    expect(stderr).not.toMatch(/^\s+at /m);
  }
});

test("with --output json the error is JSON on stderr and nothing else is there", async () => {
  const missing = await alice("get", "zippper", "--output", "json");
  expect(missing).toMatchObject({ code: 3, stdout: "" });
  expect(JSON.parse(missing.stderr)).toEqual({
    error: expect.objectContaining({
      reason: "NotFound",
      exitCode: 3,
      status: 404,
      code: "NOT_FOUND",
      attempts: 1,
      hint: "`bne list` shows the engines there are.",
    }) as unknown,
  });
  const usage = await alice("list", "-o", "ndjson", "--nope");
  expect(JSON.parse(usage.stderr)).toMatchObject({ error: { reason: "Usage", exitCode: 2 } });
});

test("a setting asks for the error as JSON, too, and for protobuf where the API has a message only", async () => {
  expect(JSON.parse((await preferring("json", "list", "--nope")).stderr)).toMatchObject({ error: { reason: "Usage" } });
  expect((await preferring("json", "list", "--nope", "--output", "csv")).stderr).toMatch(/^bne: bne list has no flag/);
  const { code, stdout } = await preferring("protobuf", "config", "get", "wireFormat");
  expect({ code, said: JSON.parse(stdout) as unknown }).toEqual({
    code: 0,
    said: { name: "wireFormat", value: "auto" },
  });
});

test("a failure that can happen shows no stack, with --verbose neither", async () => {
  expect((await failing({ status: 403 }, "list")).stderr).not.toMatch(/^\s+at /m);
  expect((await failing({ status: 403 }, "list", "--verbose")).stderr).not.toMatch(/^\s+at /m);
});

test("numbers in events have three digits behind the point at most", async () => {
  const { stderr } = await alice("list", "--trace");
  expect(stderr).toMatch(/"durationMs":\d/);
  expect(stderr).not.toMatch(/\d\.\d{4,}/);
});

test("no token is ever printed, whatever fails", async () => {
  for (const fault of [{ status: 401 }, { status: 503 }, { body: "html" }, { reset: "in-body" }] as const) {
    registry.faults.set([{ fault }]);
    const { stdout, stderr } = await bne(home, ["list", "--verbose", "--trace", "--attempts", "2"], {
      env: { ...as(registry, "alice"), BYTENITE_TOKEN: "very-secret-token" },
    });
    expect(stdout + stderr).not.toContain("very-secret");
  }
});

test.skipIf(process.platform !== "linux")("a full disk behind stdout is reported", async () => {
  const full = openSync("/dev/full", "w");
  const child = spawn(process.execPath, [binPath, "list"], {
    env: { ...home.env, ...as(registry, "alice") },
    stdio: ["ignore", full, "pipe"],
  });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  const [code] = (await once(child, "close")) as [number];
  closeSync(full);
  expect(code).toBe(1);
  expect(stderr).toMatch(/ENOSPC|disk is full/);
});
