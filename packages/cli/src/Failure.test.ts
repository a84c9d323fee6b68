import { EngineError, type EngineErrorFields, type EngineErrorReason } from "@bytenite-engines/core/promise";
import { UsageError, UserError } from "@bytenite-engines/registry/command";
import { expect, test } from "vitest";
import { HintedError } from "./Errors.ts";
import { failureJson, failureOf, failureText } from "./Failure.ts";
import { commandAt } from "./parse/CommandTable.ts";

const [engines, exchange] = ["https://api.example/v1/dev/engines", "https://api.example/v1/auth/access_token"];
const [list, tag, call] = [`${engines}?x=1`, `${engines}/zip%40per@0.1`, `${engines}/zipper/status?a=1`];
const manage = "https://reg.example/manage/v1/users";

type Row = readonly [
  command: string | undefined,
  reason: EngineErrorReason,
  url: string,
  more: Partial<EngineErrorFields>,
  exitCode: number,
  said: string,
];

/** Every reason, with what else changes its sentence, hint or exit code. */
const rows: ReadonlyArray<Row> = [
  [
    "list",
    { _tag: "NotFound" },
    list,
    { status: 404 },
    3,
    "Not found at api.example: https://api.example/v1/dev/engines?x=1\nDoes the base URL lack its path? It looks like https://api.example/v1/dev.\n",
  ],
  ["get", { _tag: "NotFound" }, tag, {}, 3, "Not found at api.example: zip@per@0.1\n"],
  ["status", { _tag: "NotFound" }, call, {}, 3, "Not found at api.example: status of zipper\n"],
  [
    "get",
    { _tag: "NotFound" },
    "https://api.example/v1/dev/engines/%E0%A4%A",
    {},
    3,
    "Not found at api.example: %E0%A4%A\n",
  ],
  [
    "list",
    { _tag: "NotFound" },
    exchange,
    { method: "POST" },
    3,
    "There is nothing at https://api.example/v1/auth/access_token\nAPI keys are not exchanged there. Say where with --auth-url URL, BYTENITE_AUTH_URL or `bne profile set NAME --auth-url URL`.\n",
  ],
  [
    "get",
    { _tag: "NotFound" },
    exchange,
    {},
    3,
    "Not found at api.example: https://api.example/v1/auth/access_token\n",
  ],
  [
    "push",
    { _tag: "NotFound" },
    engines,
    { method: "POST" },
    3,
    "Not found at api.example: https://api.example/v1/dev/engines\nDoes the base URL lack its path? It looks like https://api.example/v1/dev.\n",
  ],
  [
    "registry users",
    { _tag: "NotFound" },
    manage,
    { status: 404, serverMessage: "no such user" },
    3,
    "reg.example has no such thing (404): no such user\n",
  ],
  [
    "registry users",
    { _tag: "NotFound" },
    manage,
    { status: 404, serverMessage: "" },
    3,
    "Not found at reg.example: https://reg.example/manage/v1/users\n",
  ],
  [
    "list",
    { _tag: "Unauthenticated" },
    list,
    { status: 401, serverMessage: "bad\u001btoken" },
    4,
    "api.example does not accept the credentials (401): bad\\u001btoken\nLog in with `bne auth login`, or set BYTENITE_TOKEN; `bne auth status` shows which credentials are used, `bne help credentials` where tokens come from.\n",
  ],
  [
    "list",
    { _tag: "Unauthenticated", noneSent: true },
    list,
    { status: 401 },
    4,
    "api.example asks for credentials, and none were sent (401)\nLog in with `bne auth login`, or set BYTENITE_TOKEN; `bne help credentials` shows where tokens come from.\n",
  ],
  [
    "list",
    { _tag: "PermissionDenied" },
    list,
    { status: 403 },
    4,
    "The credentials do not allow this at api.example (403)\n`bne auth status` shows which credentials are used.\n",
  ],
  [
    "list",
    { _tag: "CredentialsFailed", problem: "no token" },
    exchange,
    { method: "POST" },
    4,
    "Could not get a token: no token\nLog in with `bne auth login`, or set BYTENITE_TOKEN; `bne auth status` shows which credentials are used, `bne help credentials` where tokens come from.\n",
  ],
  [
    "raw",
    { _tag: "InvalidArgument" },
    list,
    { status: 400, serverMessage: "bad limit" },
    2,
    "api.example calls the request invalid (400): bad limit\n`bne raw --help` shows what it takes.\n",
  ],
  [
    "list",
    { _tag: "InvalidArgument" },
    list,
    { status: 400 },
    2,
    "api.example calls the request invalid (400)\n`bne list --help` shows what it takes.\n",
  ],
  [
    "get",
    { _tag: "InvalidArgument" },
    tag,
    { serverMessage: "no tag" },
    2,
    "Not a valid request: no tag\n`bne get --help` shows what it takes; a tag looks like name, name@1 or name@1.2.\n",
  ],
  [
    "pull",
    { _tag: "InvalidArgument" },
    tag,
    { serverMessage: "no tag" },
    2,
    "Not a valid request: no tag\n`bne pull --help` shows what it takes; a tag looks like name, name@1 or name@1.2.\n",
  ],
  [
    undefined,
    { _tag: "InvalidArgument" },
    tag,
    { status: 400 },
    2,
    "api.example calls the request for zip@per@0.1 invalid (400)\n`bne COMMAND --help` shows what it takes; a tag looks like name, name@1 or name@1.2.\n",
  ],
  [
    "push",
    { _tag: "InvalidArgument" },
    engines,
    { method: "POST", status: 413 },
    7,
    "api.example refuses the request (413)\nName what is not needed in .bneignore; `bne push --dry-run` lists what would be sent.\n",
  ],
  [
    "push",
    { _tag: "Rejected" },
    engines,
    { method: "POST", status: 413 },
    7,
    "api.example refuses the request (413)\nName what is not needed in .bneignore; `bne push --dry-run` lists what would be sent.\n",
  ],
  [
    "push",
    { _tag: "Conflict" },
    engines,
    { method: "POST", status: 413 },
    7,
    "api.example: the engine is not as the request expects it (413)\n`bne get TAG` shows what is there now.\n",
  ],
  [
    "push",
    { _tag: "InvalidArgument" },
    engines,
    { status: 400, code: "FAILED_PRECONDITION", serverMessage: "quota" },
    7,
    "api.example refuses the request (400): quota\n",
  ],
  [
    "push",
    { _tag: "Rejected" },
    list,
    { status: 418, code: "FAILED_PRECONDITION" },
    7,
    "api.example refuses the request (418)\n",
  ],
  [
    "push",
    { _tag: "Conflict" },
    tag,
    { status: 409, code: "FAILED_PRECONDITION" },
    7,
    "api.example: the engine is not as the request expects it (409)\n`bne get TAG` shows what is there now.\n",
  ],
  [
    "list",
    { _tag: "RateLimited", retryAfterMs: 3600000 },
    list,
    { status: 429, attempts: 4 },
    5,
    "api.example has had too many requests (429); it asks to wait 60 min, after 4 attempts\nTry again later; `bne doctor` checks the server.\n",
  ],
  [
    "list",
    { _tag: "RateLimited" },
    list,
    { status: 429 },
    5,
    "api.example has had too many requests (429)\nTry again later; `bne doctor` checks the server.\n",
  ],
  [
    "list",
    { _tag: "Unavailable" },
    list,
    { status: 503, serverMessage: "busy", attempts: 2 },
    5,
    "api.example cannot answer now (503): busy, after 2 attempts\nTry again later; `bne doctor` checks the server.\n",
  ],
  [
    "list",
    { _tag: "CircuitOpen", retryAfterMs: 5000 },
    list,
    { attempts: 0 },
    5,
    "api.example fails so often that nothing was sent; it asks to wait 5 s\nTry again later; `bne doctor` checks the server.\n",
  ],
  [
    "list",
    { _tag: "Unreachable", problem: "dns" },
    list,
    {},
    5,
    "The name api.example does not resolve\nPoint elsewhere with --base-url URL, BYTENITE_BASE_URL, or `bne profile set NAME --base-url URL`.\n",
  ],
  [
    "list",
    { _tag: "Unreachable", problem: "refused", systemCode: "ECONNREFUSED" },
    list,
    {},
    5,
    "Nothing listens at api.example (ECONNREFUSED)\nPoint elsewhere with --base-url URL, BYTENITE_BASE_URL, or `bne profile set NAME --base-url URL`.\n",
  ],
  [
    "list",
    { _tag: "Unreachable", problem: "reset" },
    list,
    {},
    5,
    "The connection to api.example broke\n`bne doctor` looks at the way to the server, its certificate included.\n",
  ],
  [
    "list",
    { _tag: "Unreachable", problem: "reset" },
    list,
    { cause: { proxy: "http://p.example:3128" } },
    5,
    "The connection to api.example through http://p.example:3128 broke\nThat is the proxy which HTTP_PROXY or HTTPS_PROXY names; NO_PROXY lists hosts that need none.\n",
  ],
  [
    "list",
    { _tag: "Unreachable", problem: "tls", systemCode: "EPROTO" },
    list,
    {},
    5,
    "The TLS certificate or handshake of api.example is not acceptable (EPROTO)\nIf the server speaks no TLS, its address begins with http://; `bne doctor` looks at the way to it.\n",
  ],
  [
    "list",
    { _tag: "Unreachable", problem: "tls" },
    list,
    {},
    5,
    "The TLS certificate or handshake of api.example is not acceptable\n`bne doctor` looks at the way to the server, its certificate included.\n",
  ],
  [
    "list",
    { _tag: "Unreachable", problem: "network" },
    list,
    {},
    5,
    "api.example cannot be reached\n`bne doctor` looks at the way to the server, its certificate included.\n",
  ],
  [
    "list",
    { _tag: "TimedOut", scope: "deadline", limitMs: 30000 },
    list,
    {},
    5,
    "No answer from api.example within 30 s\nGive it more time with --deadline 2m; `bne doctor` looks at the way to the server.\n",
  ],
  [
    "wait",
    { _tag: "TimedOut", scope: "deadline", limitMs: 30000 },
    list,
    {},
    5,
    "No answer from api.example within 30 s\nGive it more time with --deadline 2m, or a longer --timeout; `bne doctor` looks at the way to the server.\n",
  ],
  [
    "list",
    { _tag: "Undecodable", problem: "it is text/html" },
    list,
    {},
    6,
    "The answer of api.example cannot be read: it is text/html\nThat is a web page: does the base URL lead to the API? `bne raw GET PATH` shows it.\n",
  ],
  [
    "list",
    { _tag: "Undecodable", problem: "the protobuf is cut" },
    list,
    {},
    6,
    "The answer of api.example cannot be read: the protobuf is cut\nTry --wire-format json; `bne raw GET PATH` shows the answer as it is.\n",
  ],
  [
    "list",
    { _tag: "Undecodable", problem: "the JSON is cut" },
    list,
    {},
    6,
    "The answer of api.example cannot be read: the JSON is cut\n`bne raw GET PATH` shows the answer as it is.\n",
  ],
  [
    "pull",
    { _tag: "TooLarge", limit: "maxArchiveBytes", value: 5 },
    list,
    {},
    6,
    "The archive is larger than 5 bytes\n",
  ],
  [
    "push",
    { _tag: "TooLarge", limit: "maxArchiveBytes", value: 5 },
    list,
    {},
    6,
    "The archive is larger than 5 bytes\nName what is not needed in .bneignore.\n",
  ],
  [
    "list",
    { _tag: "TooLarge", limit: "maxBodyBytes", value: 5 },
    list,
    {},
    6,
    "The answer of api.example is larger than maxBodyBytes = 5 allows\nAsk for fewer engines at once with --page-size.\n",
  ],
  [
    "list",
    { _tag: "TooLarge", limit: "maxJsonDepth", value: 5 },
    list,
    {},
    6,
    "The answer of api.example is larger than maxJsonDepth = 5 allows\n`bne doctor` shows what kind of server this is.\n",
  ],
  [
    "wait",
    { _tag: "TooLarge", limit: "maxBodyBytes", value: 5 },
    list,
    {},
    6,
    "The answer of api.example is larger than maxBodyBytes = 5 allows\n`bne doctor` shows what kind of server this is.\n",
  ],
  [
    "pull",
    { _tag: "RedirectRefused", problem: "the download link is no URL" },
    list,
    {},
    6,
    "Nothing can be downloaded from api.example: the download link is no URL\n`bne doctor` shows what kind of server this is.\n",
  ],
  [
    "list",
    { _tag: "RedirectRefused", problem: "it leads to another origin, https://b.example" },
    list,
    {},
    6,
    "api.example redirects, and it was not followed: it leads to another origin, https://b.example\nSet --base-url to the address that the server redirects to, if you trust it with your token.\n",
  ],
  [
    "list",
    { _tag: "RedirectRefused", problem: "too many" },
    list,
    {},
    6,
    "api.example redirects, and it was not followed: too many\n`bne doctor` shows what kind of server this is.\n",
  ],
  [
    "list",
    { _tag: "Unimplemented" },
    list,
    { status: 501 },
    1,
    "api.example does not offer this call (501)\n`bne doctor` shows what kind of server this is.\n",
  ],
  [
    "list",
    { _tag: "Unimplemented" },
    exchange,
    { method: "POST", status: 501 },
    1,
    "api.example does not offer this call (501)\nAPI keys are not exchanged there. Say where with --auth-url URL, BYTENITE_AUTH_URL or `bne profile set NAME --auth-url URL`.\n",
  ],
  [
    "activate",
    { _tag: "Conflict" },
    tag,
    { status: 409, serverMessage: "changed" },
    7,
    "api.example: the engine is not as the request expects it (409): changed\n`bne get TAG` shows what is there now.\n",
  ],
  [
    "registry users",
    { _tag: "Conflict" },
    manage,
    { status: 409, serverMessage: "there already" },
    7,
    "reg.example refuses the request (409): there already\n",
  ],
  [
    "list",
    { _tag: "Rejected" },
    list,
    { status: 418 },
    1,
    "api.example refuses the request (418)\n`bne doctor` shows what kind of server this is.\n",
  ],
  [
    "list",
    { _tag: "DataLoss" },
    list,
    { status: 500 },
    1,
    "api.example refuses the request (500)\n`bne doctor` shows what kind of server this is.\n",
  ],
  [
    "registry users",
    { _tag: "Unauthenticated" },
    manage,
    {},
    4,
    "reg.example does not accept the credentials\nSet BYTENITE_MANAGE_TOKEN to a token of scope manage.\n",
  ],
  [
    "registry users",
    { _tag: "PermissionDenied" },
    manage,
    {},
    4,
    "The credentials do not allow this at reg.example\nSet BYTENITE_MANAGE_TOKEN to a token of scope manage.\n",
  ],
  [
    "registry users",
    { _tag: "RateLimited" },
    manage,
    {},
    5,
    "reg.example has had too many requests\nTry again later.\n",
  ],
  ["registry users", { _tag: "Unavailable" }, manage, {}, 5, "reg.example cannot answer now\nTry again later.\n"],
  ["registry users", { _tag: "Rejected" }, manage, {}, 1, "reg.example refuses the request\n"],
  [
    "registry users",
    { _tag: "Unreachable", problem: "dns" },
    manage,
    {},
    5,
    "The name reg.example does not resolve\n--base-url is the address of a registry; `bne registry serve` runs one.\n",
  ],
  [
    "registry users",
    { _tag: "Undecodable", problem: "x" },
    manage,
    {},
    6,
    "The answer of reg.example cannot be read: x\n--base-url is the address of a registry; `bne registry serve` runs one.\n",
  ],
  [
    "registry users",
    { _tag: "RedirectRefused", problem: "x" },
    manage,
    {},
    6,
    "reg.example redirects, and it was not followed: x\n--base-url is the address of a registry; `bne registry serve` runs one.\n",
  ],
];

test("every failed call has a sentence, a hint that helps and an exit code", () => {
  for (const [words, reason, url, more, exitCode, said] of rows) {
    const command = words === undefined ? undefined : commandAt(words.split(" "))?.command;
    const failure = failureOf(new EngineError({ reason, url, attempts: 1, ...more }), command);
    expect([words, reason, exitCode, failureText(failure)]).toEqual([words, reason, failure.exitCode, `bne: ${said}`]);
    expect(failure).toMatchObject({ reason: reason._tag, url, attempts: more.attempts ?? 1 });
    expect([failure.status, failure.code]).toEqual([more.status, more.code]);
  }
});

test("an error of bne's own keeps its message and hint, with the facts of the call that failed", () => {
  const cause = new EngineError({ reason: { _tag: "NotFound" }, url: tag, attempts: 2, status: 404 });
  expect(failureOf(new UserError("no archive", 7, "push it", { cause }))).toMatchObject({
    message: "no archive",
    hint: "push it",
    exitCode: 3,
    reason: "NotFound",
    status: 404,
    attempts: 2,
  });
  const own = { message: "no", hint: "yes" };
  expect(failureOf(new UserError("no", 7, "yes"))).toEqual({ ...own, exitCode: 7, reason: "Failed" });
  expect(failureOf(new UsageError("no", "yes"))).toEqual({ ...own, exitCode: 2, reason: "Usage" });
  expect(failureOf(new HintedError(cause, "yes"))).toMatchObject({ hint: "yes", reason: "NotFound", exitCode: 3 });
});

test("other errors are usage errors by the option that they name, and unexpected else", () => {
  const usage = { exitCode: 2, reason: "Usage" };
  for (const error of [new TypeError("limit must be positive"), new RangeError("limit must be positive")]) {
    expect(failureOf(error)).toEqual({ message: "limit must be positive", ...usage });
  }
  const unexpected = { hint: "With --verbose it shows where.", exitCode: 1, reason: "Unexpected" };
  for (const error of [new Error("limit must be positive"), new TypeError("no limit"), new TypeError("limitless")]) {
    expect(failureOf(error)).toEqual({ message: `Unexpected: ${error.message}`, ...unexpected });
  }
  expect(failureOf("text")).toEqual({ message: "Unexpected: text", ...unexpected });
  expect(failureJson(failureOf("a\u001b"))).toBe(
    '{"error":{"message":"Unexpected: a\\u001b","hint":"With --verbose it shows where.","exitCode":1,"reason":"Unexpected"}}\n',
  );
});
