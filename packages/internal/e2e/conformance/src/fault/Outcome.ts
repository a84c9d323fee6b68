// Observable outcome of a call: result, events, spans.
import { inspect } from "node:util";
import { equals } from "@bufbuild/protobuf";
import * as Cause from "effect/Cause";
import * as Exit from "effect/Exit";
import { endpoints } from "@bytenite-engines/core/wire";
import { theEngine } from "./Acts.ts";
import type { Expected } from "./FaultRow.ts";
import { errorOf, type Ran } from "./FaultRun.ts";
import type { FaultServer } from "@bytenite-engines/test-kit";

/** Outcome of a call, in the terms of the table. */
export type Outcome = Omit<Required<Expected>, "says" | "retryAfterMs"> & { readonly retryAfterMs: number | undefined };

/** Expectation of a row. */
export const expectedOutcome = ({ ends, attempts, arrived, waitedMs, retryAfterMs }: Expected): Outcome => ({
  ends,
  attempts,
  arrived: arrived ?? attempts,
  waitedMs,
  retryAfterMs,
});

/** Observed outcome. */
export const outcomeOf = (ran: Ran, server: FaultServer): Outcome => ({
  ...endOf(ran),
  arrived: server.arrived.length,
  waitedMs: ran.waitedMs,
});

const endOf = (ran: Ran): Pick<Outcome, "ends" | "attempts" | "retryAfterMs"> => {
  const { exit } = ran;
  if (Exit.isSuccess(exit)) {
    const { data, requests: attempts } = exit.value;
    if (!equals(endpoints.get.response, data, theEngine)) throw new Error(`other data: ${inspect(data)}`);
    return { ends: "data", attempts, retryAfterMs: undefined };
  }
  const error = errorOf(ran);
  if (error?._tag !== "EngineError") throw new Error("no EngineError", { cause: error });
  const { reason, requests: attempts } = error;
  return { ends: reason._tag, attempts, retryAfterMs: "retryAfterMs" in reason ? reason.retryAfterMs : undefined };
};

/** All that can be seen of a call, as text: the error in every shape, the events, the spans as an exporter writes them. */
export const visibleOf = ({ exit, events, spans, ...ran }: Ran): ReadonlyArray<string> => [
  ...(Exit.isSuccess(exit) ? [] : errorTexts(errorOf({ exit, events, spans, ...ran }))),
  JSON.stringify(events),
  ...spans.flatMap(({ attributes, status }) => [
    inspect(attributes, { depth: 10 }),
    ...(status._tag === "Ended" && !Exit.isSuccess(status.exit)
      ? Cause.prettyErrors(status.exit.cause, { includeCauseInStack: true }).map(
          ({ message, stack }) => `${message}\n${stack}`,
        )
      : []),
  ]),
];

const errorTexts = (error: unknown): ReadonlyArray<string> => [
  String(error),
  JSON.stringify(error),
  error instanceof Error ? `${error.stack}` : "",
  inspect(error, { depth: 20, showHidden: true }),
];
