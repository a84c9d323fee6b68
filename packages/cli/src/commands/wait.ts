// bne wait: until engines have a status, exist, or are deleted.
import { didYouMean } from "@bytenite-engines/core/wire";
import { UsageError, UserError } from "@bytenite-engines/registry/command";
import { setTimeout as delay } from "node:timers/promises";
import type { EngineError } from "@bytenite-engines/core/promise";
import type { EngineMessage } from "@bytenite-engines/proto";
import { clientOf, withTagHints } from "../client/Client.ts";
import { HintedError, isEngineError, exitCodeOf, exitCodes } from "../Errors.ts";
import { failureOf } from "../Failure.ts";
import { numberOf, textOf, type Invocation } from "../Invocation.ts";
import { deletedStatus, statusRecord, statusShape } from "../output/EngineShape.ts";
import { openOutput, shapeOfTags } from "../output/Output.ts";
import { sayDuration } from "../parse/Units.ts";
import type { Notes } from "../terminal/Notes.ts";
import { safeText } from "../terminal/SafeText.ts";

/** Default timeout, in milliseconds. */
const defaultTimeoutMs = 300_000;
/** Default interval, in milliseconds. */
export const defaultIntervalMs = 2_000;
/** Waiting time after which an unanswering server is reported, once, in milliseconds. */
export const noteAfterMs = 5_000;
/** Least remaining time for a request, in milliseconds. */
export const leastLookMs = 50;

/** Statuses that engines are documented to have. */
const knownStatuses = ["active", "inactive"];

/** A condition. */
export type Condition =
  | { readonly kind: "exists" }
  | { readonly kind: "deleted" }
  | { readonly kind: "status"; readonly status: string; readonly isNegated: boolean };

/** Reads the value of --for. Throws UsageError for a status that no engine is known to have, unless it stands behind `=`. */
export const conditionOf = (text: string): Condition => {
  if (text === "exists" || text === "deleted") return { kind: text };
  const [, sign = "", status = ""] = /^(!=|!|=)?(.*)$/s.exec(text) ?? [];
  const [, assigned] = /^(?:condition|status)=+(\w+)$/.exec(text) ?? [];
  if (assigned !== undefined) throw new UsageError(`--for takes the status alone`, `Did you mean --for ${assigned}?`);
  if (status !== "" && (sign === "=" || knownStatuses.includes(status))) {
    return { kind: "status", status, isNegated: sign.startsWith("!") };
  }
  const words = [...knownStatuses, "exists", "deleted"];
  if (status === "") throw new UsageError("--for needs a status", `There are ${words.join(", ")} and !=STATUS.`);
  throw new UsageError(
    `--for: no engine is known to have the status ${JSON.stringify(status.slice(0, 100))}`,
    didYouMean(status, words) ??
      `There are ${words.join(", ")} and !=STATUS. If a server uses that word: --for ${sign === "" ? "" : "!"}=${status.slice(0, 100)}`,
  );
};

/** Result of one request for a tag. */
type Look =
  | { readonly kind: "there"; readonly message: EngineMessage }
  | { readonly kind: "missing"; readonly error: Error }
  | { readonly kind: "unavailable"; readonly error: EngineError };

/** The record to write once the condition is met; else undefined. Throws when it cannot be met any more. */
const met = (condition: Condition, tag: string, look: Look): EngineMessage | undefined => {
  if (look.kind === "unavailable") return undefined;
  if (condition.kind === "deleted") {
    return look.kind === "missing" ? deletedStatus(tag) : undefined;
  }
  if (look.kind === "missing") {
    if (condition.kind === "exists") return undefined;
    throw knownStatuses.includes(tag) ? new HintedError(look.error, `Did you mean --for ${tag}?`) : look.error;
  }
  if (condition.kind !== "status") return look.message;
  return (look.message.engineStatus === condition.status) !== condition.isNegated ? look.message : undefined;
};

export const run = async (invocation: Invocation): Promise<number> => {
  const { notes, signal, settings } = invocation;
  const tags = [...new Set(invocation.arguments.positionals)];
  const wanted = textOf(invocation, "for") ?? "active";
  const condition = conditionOf(wanted);
  const timeoutMs = numberOf(invocation, "timeout") ?? defaultTimeoutMs;
  const intervalMs = numberOf(invocation, "interval") ?? defaultIntervalMs;
  const writer = await openOutput(invocation, shapeOfTags(invocation, statusShape), false);
  const client = await clientOf(invocation, true);
  const endsAt = performance.now() + timeoutMs;
  const left = (): number => Math.max(0, endsAt - performance.now());
  const lookAt = (tag: string): Promise<Look> => {
    const deadlineMs = Math.max(leastLookMs, Math.min(Number(settings.of("deadline").value), left()));
    const call = (): Promise<EngineMessage> => client.status(tag, { signal, deadlineMs });
    return looked(condition.kind === "status" ? withTagHints(invocation, client, tag, call) : call());
  };
  const done = new Map<string, EngineMessage>();
  const last = new Map<string, Look>();
  const seen = new Map<string, string>();
  const noted = new Set<string>();
  for (let first = true; first || left() >= leastLookMs; first = false) {
    const waiting = tags.filter((tag) => !done.has(tag));
    const looks = await Promise.all(waiting.map(async (tag) => [tag, await lookAt(tag)] as const));
    for (const [tag, look] of looks) {
      last.set(tag, look);
      if (look.kind !== "unavailable") seen.set(tag, look.kind === "missing" ? "missing" : look.message.engineStatus);
      const message = met(condition, tag, look);
      if (message !== undefined) done.set(tag, message);
    }
    if (done.size === tags.length) {
      notes.progress(undefined);
      await writer.write(tags.flatMap((tag) => done.get(tag) ?? []).map(statusRecord));
      await writer.end();
      return exitCodes.ok;
    }
    // The last failure is the error that ends the wait.
    if (timeoutMs - left() >= noteAfterMs && left() >= intervalMs + leastLookMs) {
      for (const look of last.values())
        if (look.kind === "unavailable") noteOnce(notes, noted, failureOf(look.error).message);
    }
    const open = tags.filter((tag) => !done.has(tag)).map((tag) => `${tag} ${stateOf(seen.get(tag))}`);
    notes.waiting(`${open.join(", ")}; waiting for ${wanted}`, left());
    await delay(Math.min(intervalMs, left()), undefined, { signal });
  }
  const open = tags.filter((tag) => !done.has(tag));
  // Reports no status if the server did not answer in the end.
  for (const tag of open) {
    const look = last.get(tag);
    if (look?.kind === "unavailable") {
      const before = seen.has(tag) ? ` It was last seen ${seen.get(tag)}.` : "";
      throw new HintedError(look.error, `Waited ${sayDuration(timeoutMs)} for ${tag}.${before} Longer with --timeout.`);
    }
  }
  const said = open.map((tag) => `${safeText(tag)} ${unmet(condition, seen.get(tag))}`).join(", ");
  const isSaid = condition.kind === "exists" || (condition.kind === "status" && condition.isNegated);
  const what = `${said}${isSaid ? "" : `, not ${safeText(wanted)},`} after ${sayDuration(timeoutMs)}`;
  throw new UserError(what, exitCodes.notMet, "Wait longer with --timeout.");
};

/** The status of an engine, as it was last seen, after its tag. */
const stateOf = (status: string | undefined): string =>
  status === "" ? "has no status" : `is ${safeText(status ?? "unknown")}`;

/** The state of an engine that does not meet the condition. */
const unmet = (condition: Condition, status: string | undefined): string => {
  if (condition.kind === "exists") return "does not exist";
  return condition.kind === "status" && condition.isNegated ? `is still ${condition.status}` : stateOf(status);
};

/** Prints a note once per run. */
export const noteOnce = (notes: Notes, noted: Set<string>, message: string): void => {
  if (!noted.has(message)) notes.note(message);
  noted.add(message);
};

/** A transient failure is waited out; any other but a missing engine ends the wait. */
const looked = async (call: Promise<EngineMessage>): Promise<Look> => {
  try {
    return { kind: "there", message: await call };
  } catch (error) {
    const cause = error instanceof HintedError ? error.cause : error;
    if (!isEngineError(cause)) throw error;
    if (cause.reason._tag === "NotFound") return { kind: "missing", error: error as Error };
    if (exitCodeOf(cause) !== exitCodes.unavailable) throw error;
    return { kind: "unavailable", error: cause };
  }
};
