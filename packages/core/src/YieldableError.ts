// EngineError for Effect: the same class with a yieldable type.
import type * as Cause from "effect/Cause";
import { EngineError as Plain, type EngineErrorFields } from "./EngineError.ts";

/** The one error of the client. `reason` has the kind: `Effect.catchReason("EngineError", "NotFound", ...)`. */
export interface EngineError extends Plain, Cause.YieldableError {
  readonly toJSON: () => Record<string, unknown>;
}

/** The one error of the client. `reason` has the kind: `Effect.catchReason("EngineError", "NotFound", ...)`. */
export const EngineError = Plain as unknown as new (fields: EngineErrorFields) => EngineError;
