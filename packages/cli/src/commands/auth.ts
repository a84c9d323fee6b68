// bne auth login, status, logout, token.
import { UsageError, UserError } from "@bytenite-engines/registry/command";
import type { JsonObject } from "@bufbuild/protobuf";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { jwtExpiryMs } from "@bytenite-engines/core/wire";
import { HintedError, isEngineError, exitCodes } from "../Errors.ts";
import { failureOf } from "../Failure.ts";
import { isOn, type Invocation } from "../Invocation.ts";
import { accessToken, clientOf, credentials, fetchOf } from "../client/Client.ts";
import { hasKeychain } from "../config/Keychain.ts";
import { forgetAccessTokens } from "../config/AccessTokens.ts";
import { storeSecret, type SecretKind, type Credentials, removeSecret } from "../config/Credentials.ts";
import { openOutput } from "../output/Output.ts";
import { textAt, type Shape } from "../output/Shape.ts";
import { readSecretLine } from "../terminal/SecretInput.ts";

const noCredentialsHint =
  "Log in with `bne auth login`, or set BYTENITE_TOKEN; `bne help credentials` says where tokens come from.";

const words = { token: "token", "api-key": "API key" } as const;
const untried = "--no-verify stores it without trying it.";

export const login = async (invocation: Invocation): Promise<number> => {
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
  const authUrl = kind === "api-key" ? settings.text("authUrl") : undefined;
  // Tokens of the replaced key are useless.
  await forgetAccessTokens(directories.cache);
  if (!isOn(invocation, "no-verify")) await verify(invocation, kind, secret, baseUrl);
  if (hasKeychain && !isOn(invocation, "no-keychain")) notes.progress("asking the keychain");
  const { where } = await storeSecret(
    settings,
    { kind, secret, baseUrl, ...(authUrl === undefined ? {} : { authUrl }) },
    !isOn(invocation, "no-keychain"),
  );
  notes.progress(undefined);
  if (!hasKeychain && !isOn(invocation, "no-keychain"))
    notes.note("The single executable uses no keychain but a file.");
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
    if (kind === "api-key")
      await accessToken(
        invocation,
        { kind, secret, origin: "stdin", authUrl: settings.text("authUrl") },
        { attempts: 1 },
      );
    else {
      const client = createEngineClient({
        baseUrl,
        token: secret,
        // Protobuf can take a second request, to compare it with the JSON.
        format: "json",
        deadlineMs: Number(settings.of("deadline").value),
        retry: { maxAttempts: 1 },
        fetch: fetchOf(invocation, true),
        onEvent: notes.event,
      });
      await client.list({ limit: 1 }, { signal });
    }
  } catch (error) {
    if (!isEngineError(error)) throw error;
    const { _tag } = error.reason;
    if (_tag === "PermissionDenied" && kind === "token") {
      notes.warn(`${host} answers 403: the token may not list engines, and whether it opens anything is not known`);
      return;
    }
    // The server has answered, and not with a token.
    if (_tag === "CredentialsFailed" && error.status === undefined)
      throw new HintedError(error, `It is not stored; ${untried}`);
    if (_tag !== "Unauthenticated" && _tag !== "CredentialsFailed") {
      throw new HintedError(error, `${failureOf(error).hint ?? ""} It is not stored; ${untried}`.trimStart());
    }
    const status = error.status === undefined ? "" : ` (${error.status})`;
    throw new UserError(
      `${host} does not accept the ${words[kind]}${status}, so it is not stored`,
      exitCodes.denied,
      `Is it for this server, and not over? ${untried}`,
    );
  } finally {
    notes.progress(undefined);
  }
  notes.note(`The ${words[kind]} works at ${host}.`);
};

const fields = ["profile", "baseUrl", "kind", "origin", "expiresAt", "accepted"];

const shape: Shape = {
  columns: fields.map((path) => ({ path, kind: path === "expiresAt" ? "time" : "text" })),
  known: fields,
  nameOf: (record) => textAt(record, "profile"),
  document: "one",
};

export const status = async (invocation: Invocation): Promise<number> => {
  const { settings } = invocation;
  const writer = await openOutput(invocation, shape);
  const found = await credentials(invocation);
  const expiryMs = found?.kind === "token" ? jwtExpiryMs(found.secret) : undefined;
  const accepted = found === undefined ? null : await isAccepted(invocation);
  const isUnknown = accepted !== null && typeof accepted === "object";
  const status: JsonObject = {
    profile: settings.profileName,
    baseUrl: settings.text("baseUrl") ?? "",
    kind: found?.kind ?? "none",
    origin: originOf(found),
    expiresAt: expiryMs === undefined ? null : new Date(expiryMs).toISOString(),
    accepted: isUnknown ? null : accepted,
  };
  await writer.write([{ json: status }]);
  await writer.end();
  if (isUnknown) throw accepted.error;
  if (found === undefined) throw new UserError("There are no credentials", exitCodes.denied, noCredentialsHint);
  return accepted === false ? exitCodes.denied : exitCodes.ok;
};

const originOf = (found: Credentials | undefined): string | null => found?.origin ?? null;

/** Whether the API accepts the credentials, or the error that left it unknown. */
const isAccepted = async (invocation: Invocation): Promise<boolean | { readonly error: Error }> => {
  const { notes, signal } = invocation;
  notes.progress("asking the API");
  try {
    const client = await clientOf(invocation, true);
    await client.list({ limit: 1 }, { signal });
    return true;
  } catch (error) {
    if (!isEngineError(error)) throw error;
    const { _tag } = error.reason;
    if (_tag === "Unauthenticated" || _tag === "CredentialsFailed") return false;
    return _tag === "PermissionDenied" ? true : { error };
  } finally {
    notes.progress(undefined);
  }
};

export const logout = async ({ settings, notes, env, directories }: Invocation): Promise<number> => {
  const removed = await removeSecret(settings, settings.profileName);
  await forgetAccessTokens(directories.cache);
  if (removed === "unanswered") {
    throw new UserError(
      `The keychain did not remove the credentials of profile ${settings.profileName}, so they may still be in it`,
      exitCodes.unavailable,
      "They are not used any more; remove bytenite-engines there when you can.",
    );
  }
  notes.note(
    removed === "removed"
      ? `Forgot the credentials of profile ${settings.profileName}.`
      : `Profile ${settings.profileName} had none.`,
  );
  for (const name of ["BYTENITE_TOKEN", "BYTENITE_API_KEY"]) {
    if ((env[name] ?? "") !== "") notes.warn(`${name} is still set and is used`);
  }
  return exitCodes.ok;
};

export const token = async (invocation: Invocation): Promise<number> => {
  if (invocation.terminal.isTTY && !isOn(invocation, "show")) {
    throw new UsageError("The token is not shown on a terminal", "Send it into a pipe, or use --show.");
  }
  const found = await credentials(invocation);
  if (found === undefined) {
    throw new UserError("There are no credentials", exitCodes.denied, noCredentialsHint);
  }
  await invocation.stdout.write(`${await accessToken(invocation, found)}\n`);
  return exitCodes.ok;
};
