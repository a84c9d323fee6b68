// Stores an access token or an API key, once it was tried.
import { createEngineClient } from "@bytenite-engines/core/promise";
import { accessToken } from "../../AccessToken.ts";
import { exitCodes } from "../../ExitCode.ts";
import { CommandError, failureOf, HintedError, isEngineError } from "../../Failure.ts";
import { httpFetch } from "../../HttpFetch.ts";
import { isOn, type Invocation } from "../../Invocation.ts";
import { forgetAccessTokens } from "../../settings/AccessTokenFiles.ts";
import { storeSecret } from "../../settings/CredentialStore.ts";
import type { SecretKind } from "../../settings/Secret.ts";
import { readSecretLine } from "../../terminal/SecretInput.ts";
import { UsageError } from "../../UsageError.ts";

const words = { token: "token", "api-key": "API key" } as const;
const untried = "--no-verify stores it without trying it.";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, env, arguments: given, directories } = invocation;
  const kind: SecretKind = isOn(invocation, "with-api-key") ? "api-key" : "token";
  if (kind === "api-key" && isOn(invocation, "with-token")) {
    throw new UsageError("--with-token and --with-api-key exclude each other");
  }
  if (typeof given.flags["token"] === "string" && given.flags["token"] !== "-") {
    throw new UsageError(
      "A token is not taken from the command line, where others can see it",
      "Send it to stdin, or type it when asked.",
    );
  }
  const secret = await readSecretLine(invocation, kind === "token" ? "Access token" : "API key");
  if (secret === "") throw new UsageError("Nothing was given", "Send the secret to stdin, or type it when asked.");
  if (!/^[\u0021-\u007e]+$/.test(secret)) {
    throw new UsageError(
      "A token or key has no spaces and no characters beyond ASCII",
      "Give what stands behind Bearer, without that word.",
    );
  }
  const baseUrl = settings.text("baseUrl") ?? "";
  // Tokens of the key that was there before are of no use any more.
  forgetAccessTokens(directories.cache);
  if (!isOn(invocation, "no-verify")) await verify(invocation, kind, secret, baseUrl);
  notes.progress("asking the keychain");
  const { where } = await storeSecret(settings, { kind, secret, baseUrl }, !isOn(invocation, "no-keychain"));
  notes.progress(undefined);
  notes.note(`Stored in ${where} for profile ${settings.profileName}, for ${new URL(baseUrl).origin} only.`);
  for (const name of ["BYTENITE_TOKEN", "BYTENITE_API_KEY"]) {
    if ((env[name] ?? "") !== "") notes.warn(`${name} is set and is used instead of what was stored`);
  }
  return exitCodes.ok;
};

/** Sends one request with it: a small list, or the exchange of the key. Throws when it does not open the API. */
const verify = async (invocation: Invocation, kind: SecretKind, secret: string, baseUrl: string): Promise<void> => {
  const { settings, notes, signal } = invocation;
  const { host } = new URL(baseUrl);
  notes.progress(`trying the ${words[kind]} at ${host}`);
  try {
    if (kind === "api-key") await accessToken(invocation, { kind, secret, origin: "stdin" }, { attempts: 1 });
    else {
      const client = createEngineClient({
        baseUrl,
        token: secret,
        // Protobuf can take a second request, to compare it with the JSON.
        format: "json",
        deadlineMs: Number(settings.of("deadline").value),
        retry: { maxAttempts: 1 },
        fetch: httpFetch,
        onEvent: notes.event,
      });
      await client.list({ limit: 1 }, { signal });
    }
  } catch (error) {
    if (!isEngineError(error) || signal.aborted) throw error;
    const { _tag } = error.reason;
    // It is known, and not for lists.
    if (_tag === "PermissionDenied") return;
    if (_tag !== "Unauthenticated" && _tag !== "CredentialsFailed") {
      throw new HintedError(error, `It is not stored; ${untried} ${failureOf(error).hint ?? ""}`.trimEnd());
    }
    const status = error.status === undefined ? "" : ` (${error.status})`;
    throw new CommandError(
      `${host} does not accept the ${words[kind]}${status}, so it is not stored`,
      exitCodes.denied,
      `Is it for this server, and not over? ${untried}`,
    );
  } finally {
    notes.progress(undefined);
  }
  notes.note(`The ${words[kind]} works at ${host}.`);
};
