// Asks the server the same small question in several ways, with the credentials of this run.
import { accessToken } from "../AccessToken.ts";
import { credentials } from "../Client.ts";
import { relativeTime } from "../Duration.ts";
import { failureOf } from "../Failure.ts";
import { httpFetch } from "../HttpFetch.ts";
import type { Invocation } from "../Invocation.ts";
import type { Credentials } from "../settings/Credentials.ts";
import { expiryMsOf } from "../settings/TokenLife.ts";
import { accepts, type NoAnswer, type PlainAnswer } from "./Answers.ts";
import { found, type Check } from "./Check.ts";

/** Plain requests for the latency, the last of them also for the media types. */
export const latencyRounds = 3;

/** What opens the API, and what is to be said about it. */
export interface Key {
  readonly check: Check;
  readonly found: Credentials | undefined;
  readonly token: string | undefined;
}

/** The credentials of this run. */
export const keyOf = async (invocation: Invocation): Promise<Key> => {
  let key: Credentials | undefined;
  try {
    key = await credentials(invocation);
    if (key === undefined) {
      return {
        check: found("credentials", "failed", "none; log in with `bne auth login`, or set BYTENITE_TOKEN"),
        found: key,
        token: undefined,
      };
    }
    const token = await accessToken(invocation, key);
    const expiryMs = expiryMsOf(token);
    const over = expiryMs !== undefined && expiryMs <= Date.now();
    const life =
      expiryMs === undefined ? "it does not say until when" : `it ends ${relativeTime(expiryMs, Date.now())}`;
    return {
      check: found("credentials", over ? "failed" : "ok", `from ${key.origin}; ${life}`, key.kind),
      found: key,
      token,
    };
  } catch (error) {
    if (invocation.signal.aborted) throw error;
    return {
      check: found("credentials", "failed", failureOf(error).message, key?.kind ?? ""),
      found: undefined,
      token: undefined,
    };
  }
};

/** Answers to the same small question under each Accept. Without a first one there is only that. */
export const plainAnswers = async (
  invocation: Invocation,
  url: URL,
  token: string | undefined,
): Promise<ReadonlyArray<PlainAnswer | NoAnswer>> => {
  const { settings, notes, signal } = invocation;
  const [first] = accepts;
  const asked = [...Array.from({ length: latencyRounds - 1 }, () => first), ...accepts];
  const answers: Array<PlainAnswer | NoAnswer> = [];
  for (const accept of asked) {
    notes.progress(`asking for ${accept}`);
    const limit = AbortSignal.timeout(Number(settings.of("deadline").value));
    const sentAtMs = Date.now();
    try {
      const response = await httpFetch(`${url.href.replace(/\/+$/, "")}/engines?pagination.limit=1`, {
        headers: { accept, ...(token === undefined ? {} : { authorization: token }) },
        signal: AbortSignal.any([signal, limit]),
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      answers.push({
        accept,
        status: response.status,
        headers: response.headers,
        bytes,
        sentAtMs,
        receivedAtMs: Date.now(),
      });
    } catch (error) {
      if (signal.aborted) throw error;
      const { code, message } = error as { code?: string; message: string };
      answers.push({ accept, problem: limit.aborted ? "none within the deadline" : `none: ${code ?? message}` });
      if (answers.length === 1) return answers;
    }
  }
  return answers;
};
