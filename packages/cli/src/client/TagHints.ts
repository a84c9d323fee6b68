// Existing tags close to one that was not found.
import type { PromiseEngineClient } from "@bytenite-engines/core/promise";
import type { Engine } from "@bytenite-engines/proto";
import { HintedError, isEngineError } from "../Errors.ts";
import { pagesOf } from "./Pages.ts";
import { closest } from "../parse/Suggestion.ts";
import { safeText } from "../terminal/SafeText.ts";

/** Longest time for looking for a better tag, in milliseconds. */
const limitMs = 3_000;
/** Engines that are looked through, at most. */
const maxEngines = 1_000;
/** Tags that are suggested, at most. */
const maxTags = 3;

/** Runs a call about a tag; when that is not found, the error names the closest tags there are. */
export const withTagHints = async <T>(
  client: Pick<PromiseEngineClient, "list">,
  tag: string,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (!isEngineError(error) || error.reason._tag !== "NotFound") throw error;
    const near = await closeTags(client, tag, signal);
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
  const engines: Array<Engine> = [];
  try {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    for await (const page of pagesOf(client, {}, soon)) {
      engines.push(...page.engines);
      if (engines.length >= maxEngines) break;
    }
  } catch (error) {
    // What was read until then is good enough for a hint.
    if (signal.aborted) throw error;
  }
  const [name = tag] = tag.split("@");
  const sameName = engines.filter((engine) => engine.name === name).map((engine) => `${engine.name}@${engine.version}`);
  if (sameName.length > 0) return sameName.slice(0, maxTags);
  const names = engines.map((engine) => engine.name);
  const tags = tag.includes("@") ? engines.map((engine) => `${engine.name}@${engine.version}`) : names;
  const near = closest(tag, tags);
  return near.length > 0 ? near : closest(name, names);
};
