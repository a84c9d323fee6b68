// Decides: which access token is sent: the one that is given, or one for the API key.
import { tokenOption } from "./Client.ts";
import { exitCodes } from "./ExitCode.ts";
import { CommandError } from "./Failure.ts";
import type { Invocation } from "./Invocation.ts";
import type { Credentials } from "./settings/Credentials.ts";

/** The access token of credentials, exchanged for the API key when that is what there is. */
export const accessToken = async (invocation: Invocation, found: Credentials): Promise<string> => {
  const option = await tokenOption(found);
  if (typeof option !== "function") return option ?? "";
  const { settings, signal } = invocation;
  const answer = await option({
    nowMs: Date.now(),
    baseUrl: settings.text("baseUrl") ?? "",
    signal,
    post: (url, json) => post(url, json, Number(settings.of("deadline").value), signal),
  });
  return typeof answer === "string" ? answer : answer.token;
};

const post = async (url: string, json: unknown, deadlineMs: number, signal: AbortSignal): Promise<unknown> => {
  const { host } = new URL(url);
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/json" },
      body: JSON.stringify(json),
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    });
    if (response.ok) return await response.json();
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof SyntaxError)
      throw new CommandError(`The answer of ${host} to the API key is no JSON`, exitCodes.undecodable);
    throw new CommandError(
      `${host} cannot be asked to exchange the API key for a token (${problemOf(error)})`,
      exitCodes.unavailable,
      "Point elsewhere with --base-url URL, BYTENITE_BASE_URL, or `bne profile set NAME --base-url URL`.",
    );
  }
  await response.body?.cancel();
  const { status } = response;
  const passing = status === 408 || status === 429 || status >= 500;
  throw new CommandError(
    `${host} does not exchange the API key for a token (${status})`,
    passing ? exitCodes.unavailable : exitCodes.denied,
    passing ? "Try again later." : "Log in again with `bne auth login --with-api-key`.",
  );
};

/** `ECONNREFUSED`, or what there is instead of such a code. */
const problemOf = (error: unknown): string => {
  const { code, message } = ((error as Error).cause ?? error) as { code?: unknown; message: string };
  return typeof code === "string" ? code : message;
};
