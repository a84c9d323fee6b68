// Runner for one row: Effect client, real sockets, test clock.
import * as Cause from "effect/Cause";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Random from "effect/Random";
import * as TestClock from "effect/testing/TestClock";
import * as Tracer from "effect/Tracer";
import { EngineClient, type ApiResponse, type EngineError, type EngineEvent } from "@bytenite-engines/core";
import type { Engine } from "@bytenite-engines/proto";
import { theToken, type FaultRow } from "./FaultRow.ts";
import { startFaultServer, type FaultServer } from "@bytenite-engines/test-kit";

/** Outcome of a call. */
export interface Ran {
  readonly exit: Exit.Exit<ApiResponse<Engine>, EngineError>;
  readonly waitedMs: number;
  readonly events: ReadonlyArray<EngineEvent>;
  readonly spans: ReadonlyArray<Tracer.NativeSpan>;
}

/** Chance in the table: every delay is half its cap. */
const half: Random.Random = { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => 0.5 };

const attemptTimeoutMs = 10_000;
const deadlineMs = 30_000;

/** A row's server, running. */
export interface ServedRow extends AsyncDisposable {
  readonly server: FaultServer;
  /** URL of the call. */
  readonly baseUrl: string;
}

/** Starts the server of a row. */
export const serveRow = async (row: FaultRow, onArrived?: () => void): Promise<ServedRow> => {
  const server = await startFaultServer(row.act, onArrived);
  const deferred: Array<() => Promise<void>> = [];
  const baseUrl = (await row.baseUrl?.(server, (end) => void deferred.push(end))) ?? server.baseUrl;
  return {
    server,
    baseUrl,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      for (const end of deferred) await end();
    },
  };
};

/** Starts the server of a row, and calls it by the client for Effect. */
export const startRow = async (row: FaultRow): Promise<ServedRow & { readonly run: () => Promise<Ran> }> => {
  const hung = { notify: () => {} };
  const served = await serveRow(row, () => {
    if (row.hangs === "in-request") hung.notify();
  });
  return { ...served, run: () => runRow(row, served.baseUrl, hung) };
};

const runRow = async (row: FaultRow, baseUrl: string, hung: { notify: () => void }): Promise<Ran> => {
  const events: Array<EngineEvent> = [];
  const spans: Array<Tracer.NativeSpan> = [];
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options);
      spans.push(span);
      return span;
    },
  });
  let clock: TestClock.TestClock | undefined;
  // In the next turn of the loop the client has gone to sleep, or has begun to read the body.
  const advance = (ms: (clock: TestClock.TestClock) => number): void =>
    void setImmediate(() => clock !== undefined && Effect.runFork(clock.adjust(ms(clock))));
  const untilTimeout = (clock: TestClock.TestClock): number =>
    Math.min(attemptTimeoutMs, deadlineMs - clock.currentTimeMillisUnsafe());
  hung.notify = () => advance(untilTimeout);
  const layer = EngineClient.layer({
    token: theToken,
    ...row.options,
    baseUrl,
    attemptTimeoutMs,
    deadlineMs,
    fetch: async (url, init) => {
      const response = await (row.options?.fetch ?? globalThis.fetch)(url, init);
      if (row.hangs === "in-body") advance(untilTimeout);
      return response;
    },
    onEvent: (event) => {
      events.push(event);
      if (event.type === "retry") advance(() => event.delayMs);
    },
  });
  const called = Effect.gen(function* () {
    clock = yield* TestClock.testClockWith(Effect.succeed);
    const client = yield* EngineClient;
    const exit = yield* Effect.exit(client.withResponse.get("zipper@0.1"));
    return { exit, waitedMs: yield* Clock.currentTimeMillis, events, spans };
  });
  return called.pipe(
    Effect.provide(layer),
    Effect.withSpan("caller"),
    Effect.provideService(Tracer.Tracer, tracer),
    Effect.provideService(Random.Random, half),
    Effect.provide(TestClock.layer({ warningDelay: "1 minute" })),
    Effect.runPromise,
  );
};

/** The error of a call that failed with one. */
export const errorOf = ({ exit }: Ran): EngineError | undefined =>
  Exit.isSuccess(exit) ? undefined : (Cause.squash(exit.cause) as EngineError);
