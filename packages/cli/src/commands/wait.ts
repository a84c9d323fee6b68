// Waits until an engine has a status.
import { setTimeout as delay } from "node:timers/promises";
import type { EngineMessage } from "@bytenite-engines/proto";
import { clientOf } from "../client/Client.ts";
import { sayDuration } from "../parse/Duration.ts";
import { exitCodeOf, exitCodes } from "../ExitCode.ts";
import { CommandError, isEngineError } from "../Errors.ts";
import { numberOf, positional, textOf, type Invocation } from "../Invocation.ts";
import { openOutput } from "../output/Output.ts";
import { statusRecord, statusShape } from "../output/EngineShape.ts";
import { withTagHints } from "../client/TagHints.ts";
import { safeText } from "../terminal/SafeText.ts";

/** Longest wait when nothing else is said, in milliseconds. */
const defaultTimeoutMs = 300_000;
/** Time between two looks when nothing else is said, in milliseconds. */
export const defaultIntervalMs = 2_000;

/** Less than this left is too short for a look, in milliseconds. */
const leastLookMs = 50;

export const run = async (invocation: Invocation): Promise<number> => {
  const { notes, signal, settings } = invocation;
  const tag = positional(invocation, 0);
  const wanted = textOf(invocation, "for") ?? "active";
  const timeoutMs = numberOf(invocation, "timeout") ?? defaultTimeoutMs;
  const intervalMs = numberOf(invocation, "interval") ?? defaultIntervalMs;
  const writer = await openOutput(invocation, statusShape("one"), false);
  const client = await clientOf(invocation);
  const endsAt = performance.now() + timeoutMs;
  const left = (): number => Math.max(0, endsAt - performance.now());
  let seen = "unknown";
  for (let first = true; first || left() >= leastLookMs; first = false) {
    const deadlineMs = Math.max(leastLookMs, Math.min(Number(settings.of("deadline").value), left()));
    const message = await unlessPassing(
      invocation,
      withTagHints(client, tag, signal, () => client.status(tag, { signal, deadlineMs })),
    );
    if (message?.engineStatus === wanted) {
      notes.progress(undefined);
      await writer.write([statusRecord(message)]);
      await writer.end();
      return exitCodes.ok;
    }
    seen = message?.engineStatus ?? seen;
    notes.waiting(`${tag} is ${seen}, waiting for ${wanted}`, left());
    await delay(Math.min(intervalMs, left()), undefined, { signal });
  }
  const what = `${safeText(tag)} is not ${safeText(wanted)} but ${safeText(seen)} after ${sayDuration(timeoutMs)}`;
  throw new CommandError(what, exitCodes.notMet, "Wait longer with --timeout.");
};

/** A failure that may pass is told and waited out; any other ends the wait. */
const unlessPassing = async (
  { notes, signal }: Invocation,
  call: Promise<EngineMessage>,
): Promise<EngineMessage | undefined> => {
  try {
    return await call;
  } catch (error) {
    const passing = isEngineError(error) && exitCodeOf(error.reason._tag) === exitCodes.unavailable;
    if (!passing || signal.aborted) throw error;
    notes.note(safeText(error.message));
    return undefined;
  }
};
