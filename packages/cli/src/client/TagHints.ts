// Existing tags close to one that was not found.
import { closest } from "@bytenite-engines/core/wire";
import type { PromiseEngineClient } from "@bytenite-engines/core/promise";
import type { Engine } from "@bytenite-engines/proto";
import { HintedError, isEngineError } from "../Errors.ts";
import type { Invocation } from "../Invocation.ts";
import { safeText } from "../terminal/SafeText.ts";

/** Longest time for looking for a better tag, in milliseconds. */
const limitMs = 3_000;
/** Engines that are looked through, at most: one page. */
const maxEngines = 1_000;
/** Tags that are suggested, at most. */
const maxTags = 3;

/**
 * Runs a call about a tag. When that is not found, people get the closest tags as a hint, for one more request; programs,
 * and who reads JSON, are not.
 */
export const withTagHints = async <T>(
  { notes, signal }: Pick<Invocation, "notes" | "signal">,
  client: Pick<PromiseEngineClient, "list">,
  tag: string,
  call: () => Promise<T>,
): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (!isEngineError(error) || error.reason._tag !== "NotFound") throw error;
    const near = notes.terminal.isTTY && !notes.verbosity.json ? await closeTags(client, tag, signal) : [];
    throw near.length === 0
      ? new HintedError(error, "`bne list` shows the engines there are.")
      : new HintedError(error, `Did you mean ${near.map(safeText).join(" or ")}?`);
  }
};

const closeTags = async (
  client: Pick<PromiseEngineClient, "list">,
  tag: string,
  signal: AbortSignal,
): Promise<ReadonlyArray<string>> => {
  let engines: ReadonlyArray<Engine>;
  try {
    // Protobuf can take a second request, to compare it with the JSON.
    const once = { format: "json", retry: { maxAttempts: 1 }, deadlineMs: limitMs, signal } as const;
    ({ engines } = await client.list({ limit: maxEngines }, once));
  } catch (error) {
    if (signal.aborted) throw error;
    return [];
  }
  const [name = tag] = tag.split("@");
  const sameName = engines.filter((engine) => engine.name === name).map((engine) => `${engine.name}@${engine.version}`);
  if (sameName.length > 0) return sameName.slice(0, maxTags);
  const names = engines.map((engine) => engine.name);
  const tags = tag.includes("@") ? engines.map((engine) => `${engine.name}@${engine.version}`) : names;
  const near = closest(tag, tags);
  return near.length > 0 ? near : closest(name, names);
};
