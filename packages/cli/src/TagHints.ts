// Decides: which existing tags somebody meant whose tag was not found.
import type { PromiseEngineClient } from "@bytenite-engines/core/promise";
import { HintedError, isEngineError } from "./Failure.ts";
import { closest } from "./Suggestion.ts";
import { safeText } from "./text/SafeText.ts";

/** Longest time for looking for a better tag, in milliseconds. */
const limitMs = 3_000;

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
  try {
    const options = { signal, deadlineMs: limitMs, retry: { maxAttempts: 1 } };
    const { engines } = await client.list({}, options);
    const [name = tag] = tag.split("@");
    const sameName = engines
      .filter((engine) => engine.name === name)
      .map((engine) => `${engine.name}@${engine.version}`);
    if (sameName.length > 0) return sameName.slice(0, 3);
    const tags = engines.map((engine) => (tag.includes("@") ? `${engine.name}@${engine.version}` : engine.name));
    const near = closest(tag, tags);
    return near.length > 0
      ? near
      : closest(
          name,
          engines.map((engine) => engine.name),
        );
  } catch (error) {
    if (signal.aborted) throw error;
    return [];
  }
};
