// Sends a GET for anything else on the API.
import { formatOf, rpcCodeOfHttp } from "@bytenite-engines/core/wire";
import { createExchanger } from "@bytenite-engines/core/exchange";
import { accessToken, fetchOf } from "../client/Client.ts";
import { credentials } from "../client/Client.ts";
import { exitCodes } from "../ExitCode.ts";
import { isOn, positional, textOf, type Invocation } from "../Invocation.ts";
import { redactJsonText } from "../output/EngineShape.ts";
import { safeLines, safeText } from "../terminal/SafeText.ts";
import { CommandError, UsageError } from "../Errors.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, signal } = invocation;
  const method = positional(invocation, 0).toUpperCase();
  if (method !== "GET") throw new UsageError(`bne raw sends GET only, not ${JSON.stringify(method)}`);
  const url = below(settings.text("baseUrl") ?? "", positional(invocation, 1));
  const found = await credentials(invocation);
  const token = found === undefined ? undefined : await accessToken(invocation, found);
  const exchanger = createExchanger({
    deadlineMs: Number(settings.of("deadline").value),
    retry: { maxAttempts: Number(settings.of("attempts").value) },
    fetch: fetchOf(invocation),
    onEvent: notes.event,
  });
  notes.progress(`asking for ${url}`);
  const asked = (token: string | undefined): ReturnType<typeof exchanger.get> =>
    exchanger.get({
      url,
      headers: {
        accept: textOf(invocation, "accept") ?? "application/json",
        ...(token === undefined ? {} : { authorization: token }),
      },
      endpoint: "list",
      signal,
    });
  let answer = await asked(token);
  if (answer.status === 401 && found?.kind === "api-key")
    answer = await asked(await accessToken(invocation, found, { refused: token }));
  notes.progress(undefined);
  if (isOn(invocation, "include")) {
    notes.line(`${answer.status} ${new URL(url).host}`);
    answer.headers.forEach((value, name) => notes.line(safeText(`${name}: ${value}`)));
  }
  await writeBody(invocation, answer.headers.get("content-type"), answer.bytes);
  if (answer.status < 400) return exitCodes.ok;
  const code = rpcCodeOfHttp(answer.status);
  throw new CommandError(`${new URL(url).host} answers ${answer.status} (${code})`, exitOf(answer.status));
};

/** The URL of a path below the base URL; it must not lead out of it. */
const below = (baseUrl: string, path: string): string => {
  const base = baseUrl.replace(/\/+$/, "");
  const text = `${base}${path.startsWith("/") ? "" : "/"}${path}`;
  if (URL.canParse(text)) {
    const url = new URL(text);
    if (
      url.origin === new URL(base).origin &&
      `${url.pathname}/`.startsWith(`${new URL(base).pathname.replace(/\/+$/, "")}/`)
    )
      return url.href;
  }
  throw new UsageError(`${JSON.stringify(path)} is no path below ${base}`, "It looks like /engines?isPublic=true");
};

const writeBody = async (invocation: Invocation, contentType: string | null, bytes: Uint8Array): Promise<void> => {
  const { stdout, terminal } = invocation;
  const text = textIn(contentType, bytes);
  const expression = textOf(invocation, "jq");
  if (text === undefined) {
    if (expression !== undefined) throw new UsageError("--jq works on JSON, and the body is binary");
    if (terminal.isTTY)
      throw new UsageError("The body is binary and not for a terminal", "Send it to a file or into a pipe.");
    return stdout.write(bytes);
  }
  const whole = isOn(invocation, "show-secrets") ? text : redactJsonText(text);
  const shown =
    expression === undefined ? whole : (await (await import("../output/JqFilter.ts")).jqOf(expression))(whole);
  await stdout.write(terminal.isTTY ? safeLines(shown.endsWith("\n") ? shown : `${shown}\n`) : shown);
};

const textIn = (contentType: string | null, bytes: Uint8Array): string | undefined => {
  if (formatOf(contentType) === "protobuf") return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

const exitOf = (status: number): number => {
  if (status === 404) return exitCodes.notFound;
  if (status === 401 || status === 403) return exitCodes.denied;
  if (status === 400) return exitCodes.usage;
  return status === 408 || status === 429 || (status >= 500 && status !== 501)
    ? exitCodes.unavailable
    : exitCodes.unexpected;
};
