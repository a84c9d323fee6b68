// Effects as promises.
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { ApiResponse } from "./ApiResponse.ts";
import { isSignal } from "./ClientOptions.ts";
import { EngineError } from "./EngineError.ts";

/** Runs an effect. Rejects with its failure, and with the signal's reason once that is aborted. */
export const run = <A>(effect: Effect.Effect<A, EngineError>, signal: AbortSignal | undefined): Promise<A> =>
  runMade(
    () => effect,
    signal,
    (value) => value,
  );

const runMade = <A, B>(
  make: () => Effect.Effect<A, EngineError>,
  signal: AbortSignal | undefined,
  part: (value: A) => B,
): Promise<B> =>
  new Promise<B>((resolve) => {
    // The effect rejects any other value as InvalidArgument, like every invalid option.
    const listened = isSignal(signal) ? { signal } : undefined;
    listened?.signal.throwIfAborted();
    Effect.runFork(make(), listened).addObserver((exit) =>
      resolve(Exit.isSuccess(exit) ? part(exit.value) : failed(exit.cause, listened?.signal)),
    );
  });

/** Rejects as `run` does, once the promise of the call follows it: then the stack has the caller. */
const failed = async (cause: Cause.Cause<EngineError>, signal: AbortSignal | undefined): Promise<never> => {
  await Promise.resolve();
  await Promise.resolve();
  if (signal?.aborted === true) throw signal.reason;
  const error = Cause.squash(cause);
  if (error instanceof EngineError) addCaller(error);
  throw error;
};

/** A call as an effect: of its subject, and options. */
export type Caller<O> = (subject: never, options: O | undefined) => Effect.Effect<ApiResponse<unknown>, EngineError>;

type Part = (answer: ApiResponse<unknown>) => unknown;

/** Each call in the form of an entry: of its data, and below `withResponse` of the whole response. */
export const facade = (
  callers: Readonly<Record<string, Caller<never>>>,
  form: (call: Caller<never>, part: Part) => unknown,
): object => {
  const methods = (part: Part): object =>
    Object.fromEntries(Object.entries(callers).map(([name, call]) => [name, form(call, part)]));
  return { ...methods(({ data }) => data), withResponse: methods((answer) => answer) };
};

/** Each call as a promise. */
export const promised = (callers: Readonly<Record<string, Caller<never>>>): object =>
  facade(
    callers,
    (call, part) => (subject: never, options: { readonly signal?: AbortSignal } | undefined) =>
      runMade(() => call(subject, options as never), options?.signal, part),
  );

/** Replaces the stack frames of the Effect runtime by those of the caller. V8 only. */
const addCaller = (error: EngineError): void => {
  const { captureStackTrace } = Error as { readonly captureStackTrace?: (target: object, above?: unknown) => void };
  if (captureStackTrace === undefined) return;
  const here: { stack?: string } = {};
  captureStackTrace(here, addCaller);
  const frames = here.stack?.split("\n").filter((line) => line.startsWith("    at ")) ?? [];
  if (frames.length > 0) error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
};
