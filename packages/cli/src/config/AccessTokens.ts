// Access tokens of API keys, kept in files until they expire.
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ExpiringToken, TokenContext, TokenOption } from "@bytenite-engines/core/promise";
import { jwtExpiryMs } from "@bytenite-engines/core/wire";
import { FileError } from "../Errors.ts";
import { readText, reasonOf, writeOwn } from "./Files.ts";

/** A token is not used in the last part of its life: so long, or a tenth of it if that is shorter; in milliseconds. */
const unusedMs = 60_000;

type TokenSource = Exclude<TokenOption, string>;

const directoryIn = (cache: string): string => join(cache, "access-tokens");

/** The digest in the name reveals neither the key nor the server. */
const fileOf = (cache: string, baseUrl: string, apiKey: string): string =>
  join(directoryIn(cache), `${createHash("sha256").update(`${baseUrl}\0${apiKey}`).digest("hex")}.json`);

/**
 * The source, asked only when no token of an earlier run is left. When one run asks a second time, the first token was
 * refused or is over, so it gets a new one. A token without expiry is not cached.
 */
export const keptAccessTokens = (source: TokenSource, apiKey: string, cache: string): TokenSource => {
  let asked = false;
  let pending: Promise<string | ExpiringToken> | undefined;
  const ask = async (context: TokenContext): Promise<string | ExpiringToken> => {
    const path = fileOf(cache, context.baseUrl, apiKey);
    const kept = asked ? undefined : tokenIn(path, context.nowMs);
    asked = true;
    if (kept !== undefined) return kept;
    const fetched = await source(context);
    keep(path, typeof fetched === "string" ? { token: fetched } : fetched, context.nowMs);
    return fetched;
  };
  // All calls of a run are of one user.
  return (context) =>
    (pending ??= ask(context).finally(() => {
      pending = undefined;
    }));
};

/** Removes all cached tokens. Rejects with FileError. */
export const forgetAccessTokens = async (cache: string): Promise<void> => {
  try {
    // Not rmSync: its errors of a read-only file system have no code.
    await rm(directoryIn(cache), { recursive: true, force: true });
  } catch (error) {
    // A file where the directory of caches should be: then nothing was kept.
    if ((error as { code?: string }).code === "ENOTDIR") return;
    throw new FileError(`Cannot remove ${directoryIn(cache)}: ${reasonOf(error)}`, { cause: error });
  }
};

const keep = (path: string, { token, expiresAtMs = jwtExpiryMs(token) }: ExpiringToken, nowMs: number): void => {
  try {
    if (expiresAtMs === undefined) return rmSync(path);
    const usedUntilMs = expiresAtMs - Math.min(unusedMs, (expiresAtMs - nowMs) / 10);
    writeOwn(path, JSON.stringify({ token, usedUntilMs, expiresAtMs }));
  } catch {
    // The next run exchanges the key again.
  }
};

const tokenIn = (path: string, nowMs: number): ExpiringToken | undefined => {
  try {
    const { token, usedUntilMs, expiresAtMs } = JSON.parse(readText(path, "secret") ?? "") as Record<string, unknown>;
    if (typeof token === "string" && Number(usedUntilMs) > nowMs) return { token, expiresAtMs: Number(expiresAtMs) };
  } catch {
    // Missing, damaged or insecure files count as absent.
  }
  return undefined;
};
