// Effects as promises.
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { EngineError } from "./EngineError.ts";

/** Runs an effect. Rejects with its failure, and with the signal's reason once that is aborted. */
export const run = async <A>(effect: Effect.Effect<A, EngineError>, signal: AbortSignal | undefined): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? undefined : { signal });
  if (Exit.isSuccess(exit)) return exit.value;
  throw signal?.aborted === true && Cause.hasInterrupts(exit.cause) ? signal.reason : Cause.squash(exit.cause);
};
