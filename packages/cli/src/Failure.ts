// Messages and hints of errors.
import { UsageError, UserError } from "@bytenite-engines/registry/command";
import type { EngineError, EngineErrorTag } from "@bytenite-engines/core/promise";
import { basePath } from "@bytenite-engines/core/wire";
import { sayDuration } from "./parse/Units.ts";
import { FileError, HintedError, isBeyondLimit, isEngineError, isTooLarge, exitCodeOf, exitCodes } from "./Errors.ts";
import { nameOf, type Command } from "./parse/Command.ts";
import { safeText } from "./terminal/SafeText.ts";

/** A failure, ready to be printed. */
export interface Failure {
  readonly message: string;
  readonly hint?: string | undefined;
  readonly exitCode: number;
  /** The kind, for programs. */
  readonly reason: string;
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly url?: string | undefined;
  readonly attempts?: number | undefined;
  readonly requestId?: string | undefined;
}

/** The message and hint of an error; hints name only flags of the command. */
export const failureOf = (error: unknown, command?: Command): Failure => {
  if (isEngineError(error)) return callFailure(error, command);
  if (error instanceof HintedError) return { ...failureOf(error.cause, command), hint: error.hint };
  if (error instanceof UserError) {
    const { message, hint, exitCode, cause } = error;
    if (isEngineError(cause)) return { ...callFailure(cause, command), message, hint };
    return { message, hint, exitCode, reason: error instanceof UsageError ? "Usage" : "Failed" };
  }
  if (error instanceof FileError) return { message: error.message, exitCode: exitCodes.unexpected, reason: "File" };
  if (error instanceof TypeError || error instanceof RangeError) {
    // The client names the invalid option.
    const option = /^(baseUrl|format|limit|offset|attempts|maxAttempts|deadlineMs|limits)\b/.exec(error.message);
    if (option !== null) return { message: error.message, exitCode: exitCodes.usage, reason: "Usage" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    message: `Unexpected: ${message}`,
    hint: "With --verbose it shows where.",
    exitCode: exitCodes.unexpected,
    reason: "Unexpected",
  };
};

const callFailure = (error: EngineError, command: Command | undefined): Failure => ({
  message: `${sentence(error)}${after(error)}`,
  hint: hintFor(error, command),
  exitCode: exitCodeOf(error),
  reason: error.reason._tag,
  status: error.status,
  code: error.code,
  url: error.url,
  attempts: error.attempts,
  requestId: error.requestId,
});

/** The requested resource, in words. */
const subjectOf = (url: string): string => {
  const [, tag, call] = /\/engines\/([^/?]+)(?:\/([^/?]+))?(?:\?|$)/.exec(url) ?? [];
  if (tag === undefined) return url;
  let name = tag;
  try {
    name = decodeURIComponent(tag);
  } catch {
    // It is said as it is.
  }
  return `${call === undefined ? "" : `${safeText(call)} of `}${safeText(name)}`;
};

const sentence = (error: EngineError): string => {
  const { reason, url, method, status, serverMessage } = error;
  const host = new URL(url).host;
  const said = serverMessage === undefined || serverMessage === "" ? "" : `: ${safeText(serverMessage)}`;
  const answer = status === undefined ? "" : ` (${status})`;
  if (isBeyondLimit(error)) return `${host} refuses the request${answer}${said}`;
  switch (reason._tag) {
    case "NotFound":
      if (isManagement(url) && said !== "") return `${host} has no such thing${answer}${said}`;
      return isExchange(url, method) ? `There is nothing at ${url}` : `Not found at ${host}: ${subjectOf(url)}`;
    case "Unauthenticated":
      return reason.noneSent === true
        ? `${host} asks for credentials, and none were sent${answer}${said}`
        : `${host} does not accept the credentials${answer}${said}`;
    case "PermissionDenied":
      return `The credentials do not allow this at ${host}${answer}${said}`;
    case "CredentialsFailed":
      return `Could not get a token: ${safeText(reason.problem)}`;
    case "InvalidArgument":
      if (status === undefined) return `Not a valid request${said}`;
      return `${host} calls the request${/\/engines\/[^?]/.test(url) ? ` for ${subjectOf(url)}` : ""} invalid${answer}${said}`;
    case "RateLimited":
      return `${host} has had too many requests${answer}${wait(reason.retryAfterMs)}`;
    case "Unavailable":
      return `${host} cannot answer now${answer}${said}${wait(reason.retryAfterMs)}`;
    case "CircuitOpen":
      return `${host} fails so often that nothing was sent${wait(reason.retryAfterMs)}`;
    case "Unreachable":
      return unreachable[reason.problem].replace("HOST", throughProxy(error, host)) + why(error, reason.systemCode);
    case "TimedOut":
      return `No answer from ${host} within ${sayDuration(reason.limitMs)}`;
    case "Undecodable":
      return `The answer of ${host} cannot be read: ${safeText(reason.problem)}`;
    case "TooLarge":
      return reason.limit === "maxArchiveBytes"
        ? `The archive is larger than ${reason.value} bytes`
        : `The answer of ${host} is larger than ${reason.limit} = ${reason.value} allows`;
    case "RedirectRefused":
      return reason.problem.includes("download link")
        ? `Nothing can be downloaded from ${host}: ${safeText(reason.problem)}`
        : `${host} redirects, and it was not followed: ${safeText(reason.problem)}`;
    case "Unimplemented":
      return `${host} does not offer this call${answer}`;
    case "Conflict":
      if (isManagement(url)) return `${host} refuses the request${answer}${said}`;
      return `${host}: the engine is not as the request expects it${answer}${said}`;
    case "Rejected":
    case "DataLoss":
      return `${host} refuses the request${answer}${said}`;
  }
};

const unreachable = {
  dns: "The name HOST does not resolve",
  refused: "Nothing listens at HOST",
  reset: "The connection to HOST broke",
  tls: "The TLS certificate or handshake of HOST is not acceptable",
  network: "HOST cannot be reached",
} as const;

/** What was not reached: the proxy, where its name does not resolve or nothing listens there; else the host, through it. */
const throughProxy = (error: EngineError, host: string): string => {
  const proxy = proxyOf(error);
  const isOfProxy = "problem" in error.reason && ["dns", "refused"].includes(error.reason.problem);
  return proxy === undefined || isOfProxy ? (proxy ?? host) : `${host} through ${proxy}`;
};

/** The code of a system error, else what was told instead, as a proxy's refusal. */
const why = ({ cause }: EngineError, systemCode: string | undefined): string => {
  const said = systemCode ?? (cause as { readonly message?: string } | undefined)?.message?.replace(/^nodeFetch: /, "");
  return said === undefined ? "" : ` (${safeText(said)})`;
};

/** The proxy that a request which failed went through. */
const proxyOf = ({ cause }: EngineError): string | undefined =>
  (cause as { readonly proxy?: string } | undefined)?.proxy;

const wait = (ms: number | undefined): string => (ms === undefined ? "" : `; it asks to wait ${sayDuration(ms)}`);

const after = ({ attempts }: EngineError): string => (attempts > 1 ? `, after ${attempts} attempts` : "");

const hintFor = (error: EngineError, command: Command | undefined): string | undefined => {
  if (isTooLarge(error)) return smallerHint;
  // The server's message says what to do.
  if (isBeyondLimit(error)) return undefined;
  const { reason, url, method } = error;
  if (isManagement(url)) return managementHints[reason._tag];
  switch (reason._tag) {
    case "NotFound":
      if (isExchange(url, method)) return noExchange;
      // A list is found by every server that has it where we asked.
      return /\/engines(?:\?|$)/.test(url)
        ? `Does the base URL lack its path? It looks like ${new URL(url).origin}${basePath}.`
        : undefined;
    case "Unauthenticated":
    case "CredentialsFailed":
      return reason._tag === "Unauthenticated" && reason.noneSent === true
        ? "Log in with `bne auth login`, or set BYTENITE_TOKEN; `bne help credentials` shows where tokens come from."
        : "Log in with `bne auth login`, or set BYTENITE_TOKEN; `bne auth status` shows which credentials are used, `bne help credentials` where tokens come from.";
    case "PermissionDenied":
      return "`bne auth status` shows which credentials are used.";
    case "Unreachable":
      if (proxyOf(error) !== undefined)
        return "That is the proxy which HTTP_PROXY or HTTPS_PROXY names; NO_PROXY lists hosts that need none.";
      if (reason.systemCode === "EPROTO")
        return "If the server speaks no TLS, its address begins with http://; `bne doctor` looks at the way to it.";
      return reason.problem === "dns" || reason.problem === "refused"
        ? "Point elsewhere with --base-url URL, BYTENITE_BASE_URL, or `bne profile set NAME --base-url URL`."
        : "`bne doctor` looks at the way to the server, its certificate included.";
    case "TimedOut":
      return `Give it more time with --deadline 2m${command?.flags?.some(({ name }) => name === "timeout") === true ? ", or a longer --timeout" : ""}; \`bne doctor\` looks at the way to the server.`;
    case "Undecodable":
      if (reason.problem.includes("text/html"))
        return "That is a web page: does the base URL lead to the API? `bne raw GET PATH` shows it.";
      if (reason.problem.includes("no valid HTTP")) return serverHint;
      return `${reason.problem.includes("rotobuf") ? "Try --wire-format json; `" : "`"}bne raw GET PATH\` shows the answer as it is.`;
    case "InvalidArgument": {
      const takesTag =
        command === undefined || command.positionals?.some(({ completes }) => completes === "tags") === true;
      return `\`${command === undefined ? "bne COMMAND" : nameOf(command)} --help\` shows what it takes${takesTag ? "; a tag looks like name, name@1 or name@1.2" : ""}.`;
    }
    case "RateLimited":
    case "Unavailable":
    case "CircuitOpen":
      return "Try again later; `bne doctor` checks the server.";
    case "TooLarge":
      if (reason.limit === "maxArchiveBytes") {
        return command?.path[0] === "pull" ? undefined : "Name what is not needed in .bneignore.";
      }
      return reason.limit !== "maxJsonDepth" && command?.flags?.some(({ name }) => name === "page-size") === true
        ? "Ask for fewer engines at once with --page-size."
        : serverHint;
    case "RedirectRefused":
      return reason.problem.includes("another origin, http")
        ? "Set --base-url to the address that the server redirects to, if you trust it with your token."
        : serverHint;
    case "Unimplemented":
      return isExchange(url, method) ? noExchange : serverHint;
    case "Conflict":
      return "`bne get TAG` shows what is there now.";
    case "Rejected":
    case "DataLoss":
      return serverHint;
  }
};

/** Whether the request was to the management API of a registry. */
const isManagement = (url: string): boolean => url.includes("/manage/v1/");

const manageToken = "Set BYTENITE_MANAGE_TOKEN to a token of scope manage.";
const registryAddress = "--base-url is the address of a registry; `bne registry serve` runs one.";

const managementHints: Partial<Record<EngineErrorTag, string>> = {
  Unauthenticated: manageToken,
  PermissionDenied: manageToken,
  Unreachable: registryAddress,
  Undecodable: registryAddress,
  RedirectRefused: registryAddress,
  RateLimited: "Try again later.",
  Unavailable: "Try again later.",
};

/** Whether the request was the exchange of an API key. */
const isExchange = (url: string, method: string | undefined): boolean =>
  method === "POST" && !/\/engines(?:[/?]|$)/.test(url);

const noExchange =
  "API keys are not exchanged there. Say where with --auth-url URL, BYTENITE_AUTH_URL or `bne profile set NAME --auth-url URL`.";
const smallerHint = "Name what is not needed in .bneignore; `bne push --dry-run` lists what would be sent.";
const serverHint = "`bne doctor` shows what kind of server this is.";

/** A failure for people: a sentence, and a line that helps. */
export const failureText = ({ message, hint }: Failure): string =>
  `bne: ${oneLine(message)}\n${hint === undefined ? "" : `${oneLine(hint)}\n`}`;

const oneLine = (text: string): string => safeText(text.trim());

/** A failure for programs. */
export const failureJson = (failure: Failure): string => `${safeText(JSON.stringify({ error: failure }))}\n`;
