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
  const response = await fetch(url, {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify(json),
    redirect: "error",
    signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
  });
  if (response.ok) return response.json();
  await response.body?.cancel();
  throw new CommandError(
    `${new URL(url).host} does not exchange the API key for a token (${response.status})`,
    exitCodes.denied,
    "Log in again with `bne auth login --with-api-key`.",
  );
};
