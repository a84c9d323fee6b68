// bne watch: a live table on a terminal, events as NDJSON elsewhere.
import { UsageError } from "@bytenite-engines/registry/command";
import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import type { CallOptions, ListParams, PromiseEngineClient } from "@bytenite-engines/core/promise";
import type { Engine } from "@bytenite-engines/proto";
import { HintedError, isEngineError, exitCodeOf, exitCodes } from "../Errors.ts";
import { failureOf } from "../Failure.ts";
import { isOn, numberOf, type Invocation } from "../Invocation.ts";
import { clientOf, withTagHints } from "../client/Client.ts";
import { largePage, pagesOf } from "../client/Pages.ts";
import { askedColumns, engineRecord, engineShape } from "../output/EngineShape.ts";
import { outputOptions, formOf, writerOf } from "../output/Output.ts";
import { textAt, type Shape } from "../output/Shape.ts";
import { leftOutOf, tableText } from "../output/Table.ts";
import { safeText } from "../terminal/SafeText.ts";
import { wrapped } from "../terminal/Width.ts";
import type { Stdout } from "../terminal/Stdout.ts";
import { sizeOf } from "../terminal/Terminal.ts";
import { defaultIntervalMs, leastLookMs, noteAfterMs, noteOnce } from "./wait.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const options = outputOptions(invocation);
  const shape = engineShape("array");
  const form = options.jq === undefined ? formOf(options, shape) : "ndjson";
  const tabular = form === "table" || form === "wide";
  if (options.named && tabular && !invocation.terminal.live) {
    throw new UsageError(
      `bne watch does not write ${form} where it cannot be kept up to date`,
      "Use --output ndjson off a terminal.",
    );
  }
  const live = form !== "ndjson" && invocation.terminal.live;
  const client = await clientOf(invocation, true);
  return live ? table(invocation, client, shape) : events(invocation, client);
};

/** Polls the engines until the time is over. Throws the failure of the last poll. */
async function* looks(invocation: Invocation, client: PromiseEngineClient): AsyncGenerator<Snapshot> {
  const { notes, signal, settings } = invocation;
  const intervalMs = numberOf(invocation, "interval") ?? defaultIntervalMs;
  const startedAt = performance.now();
  const endsAt = startedAt + (numberOf(invocation, "timeout") ?? Infinity);
  const left = (): number => Math.max(0, endsAt - performance.now());
  const deadline = Number(settings.of("deadline").value);
  let failure: Error | undefined;
  const noted = new Set<string>();
  for (let first = true; first || left() >= leastLookMs; first = false) {
    if (first) notes.progress("first look");
    try {
      const deadlineMs = (): number => Math.max(leastLookMs, Math.min(deadline, left()));
      const snapshot = await look(invocation, client, first, deadlineMs);
      notes.progress(undefined);
      failure = undefined;
      yield snapshot;
    } catch (error) {
      const passing = isEngineError(error) && exitCodeOf(error) === exitCodes.unavailable;
      if (!passing || first) throw error;
      failure = error;
      // The last failure is the error that ends the watch.
      if (performance.now() - startedAt >= noteAfterMs && left() >= intervalMs + leastLookMs)
        noteOnce(notes, noted, failureOf(error).message);
    }
    await delay(Math.min(intervalMs, left()), undefined, { signal });
  }
  if (failure !== undefined) throw failure;
}

const look = async (
  invocation: Invocation,
  client: PromiseEngineClient,
  first: boolean,
  deadlineMs: () => number,
): Promise<Snapshot> => {
  const { signal, notes } = invocation;
  const tags = invocation.arguments.positionals;
  const engines: Array<Engine> = [];
  if (tags.length === 0) {
    const lister = {
      list: (params?: ListParams, options?: CallOptions) =>
        client.list(params, { ...options, deadlineMs: deadlineMs() }),
    };
    for await (const page of pagesOf(lister, {}, signal, { size: largePage, isSizeOurs: true })) {
      engines.push(...page.engines);
    }
  }
  const asked = (tag: string): Promise<Engine | undefined> => {
    const call = (): Promise<Engine> => client.get(tag, { signal, deadlineMs: deadlineMs() });
    // Later it may be deleted or still missing, which is not reported again.
    return first
      ? unlessGone(withTagHints(invocation, client, tag, call), (hint) =>
          notes.note(`${safeText(tag)} is not there yet. ${hint}`),
        )
      : unlessGone(call());
  };
  const found = await Promise.all(tags.map(asked));
  engines.push(...found.filter((engine) => engine !== undefined));
  const showSecrets = isOn(invocation, "show-secrets");
  return new Map(
    engines.map((engine) => [`${engine.name}@${engine.version}`, engineRecord(engine, showSecrets).json] as const),
  );
};

/** Undefined for a missing engine. */
const unlessGone = async (call: Promise<Engine>, report?: (hint: string) => void): Promise<Engine | undefined> => {
  try {
    return await call;
  } catch (error) {
    const cause = error instanceof HintedError ? error.cause : error;
    if (!isEngineError(cause) || cause.reason._tag !== "NotFound") throw error;
    if (error instanceof HintedError) report?.(error.hint);
    return undefined;
  }
};

const table = async (invocation: Invocation, client: PromiseEngineClient, shape: Shape): Promise<number> => {
  const { terminal, stdout, env } = invocation;
  const { columns, headers } = outputOptions(invocation);
  const screen = liveText(stdout);
  try {
    for await (const snapshot of looks(invocation, client)) {
      // Read each time: the window may have been resized.
      const { width, height } = sizeOf(process.stdout, env);
      const chosen = columns === undefined ? shape.columns : askedColumns(columns, shape.known);
      const {
        lines,
        places,
        cut: values,
      } = tableText(
        {
          columns: chosen,
          headers,
          asked: columns !== undefined,
          terminal: { ...terminal, width },
          now: Date.now,
        },
        [...snapshot.values()],
      );
      const missing = leftOutOf(chosen, lines.length === 0 ? undefined : places);
      const left = [
        ...(missing.length === 0 ? [] : [`columns ${missing.join(", ")}`]),
        ...(values === 0 ? [] : [`the end of ${values} ${values === 1 ? "value" : "values"}`]),
      ];
      const advice = "a wider terminal or --output ndjson shows them.";
      const note = left.length === 0 ? [] : wrapped(`Left out: ${left.join("; ")}; ${advice}`, width - 1);
      await screen.show(fitted(lines, height - note.length).concat(note));
    }
  } finally {
    screen.end();
  }
  return exitCodes.ok;
};

/** Counts the lines that do not fit on the screen. */
const fitted = (lines: ReadonlyArray<string>, height: number): ReadonlyArray<string> => {
  const available = Math.max(1, height - 2);
  if (lines.length === 0) return ["No engines."];
  return lines.length <= available
    ? lines
    : [...lines.slice(0, available - 1), `... and ${lines.length - available + 1} more`];
};

const eventShape: Shape = {
  columns: [],
  known: [],
  nameOf: (record) => textAt(record, "tag"),
  document: "array",
};

const events = async (invocation: Invocation, client: PromiseEngineClient): Promise<number> => {
  const options = outputOptions(invocation);
  const writer = await writerOf(
    { ...options, form: "ndjson", columns: undefined },
    eventShape,
    invocation.stdout.write,
  );
  let before: Snapshot = new Map();
  for await (const snapshot of looks(invocation, client)) {
    const at = new Date().toISOString();
    const changes = changesBetween(before, snapshot);
    await writer.write(
      changes.map(({ event, tag, fields, engine }) => ({ json: { event, at, tag, fields: [...fields], engine } })),
    );
    before = snapshot;
  }
  await writer.end();
  return exitCodes.ok;
};

/** Engines by tag at one poll. */
export type Snapshot = ReadonlyMap<string, JsonObject>;

/** Something that happened to an engine. */
export interface EngineChange {
  readonly event: "added" | "changed" | "removed";
  readonly tag: string;
  /** Names of the fields that changed. */
  readonly fields: ReadonlyArray<string>;
  /** As it is now; as it was, when it was removed. */
  readonly engine: JsonObject;
}

/** Events between two polls, in the order of the newer one, removals last. */
export const changesBetween = (before: Snapshot, after: Snapshot): ReadonlyArray<EngineChange> => {
  const changes: Array<EngineChange> = [];
  for (const [tag, engine] of after) {
    const old = before.get(tag);
    if (old === undefined) changes.push({ event: "added", tag, fields: [], engine });
    else {
      const fields = Object.keys(engine).filter((name) => JSON.stringify(engine[name]) !== JSON.stringify(old[name]));
      if (fields.length > 0) changes.push({ event: "changed", tag, fields, engine });
    }
  }
  for (const [tag, engine] of before) {
    if (!after.has(tag)) changes.push({ event: "removed", tag, fields: [], engine });
  }
  return changes;
};

/** A piece of the screen. */
export interface LiveText {
  /** Shows these lines instead of those before; none may be wider than the terminal. */
  readonly show: (lines: ReadonlyArray<string>) => Promise<void>;
  /** Leaves the last lines where they are and gives the cursor back. */
  readonly end: () => void;
}

const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";

const giveBack = (): void => void process.stdout.write(showCursor);

/** Uses the screen below the cursor. The cursor is restored whenever the process ends. */
export const liveText = (stdout: Stdout): LiveText => {
  let lines = 0;
  process.on("exit", giveBack);
  return {
    show: async (next) => {
      const up = lines === 0 ? hideCursor : `\r\u001b[${lines}A\u001b[J`;
      await stdout.write(`${up}${next.map((line) => `${line}\n`).join("")}`);
      lines = next.length;
    },
    end: () => {
      process.off("exit", giveBack);
      giveBack();
    },
  };
};
