import type { EngineEvent } from "@bytenite-engines/core/promise";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { exchangeLine, Notes, type Verbosity } from "./Notes.ts";
import type { Terminal } from "./Terminal.ts";

const plain: Terminal = { isTTY: false, colour: false, live: false, width: undefined, height: undefined };
const live: Terminal = { isTTY: true, colour: false, live: true, width: 40, height: 24 };
const modest: Verbosity = { verbose: false, trace: false, quiet: false, json: false, attempts: () => 4 };

/** Notes, and what they wrote. */
const written = (
  terminal: Terminal,
  more: Partial<Verbosity>,
  action: (notes: Notes) => void,
): ReadonlyArray<string> => {
  const lines: Array<string> = [];
  action(new Notes(terminal, { ...modest, ...more }, (text) => lines.push(text)));
  return lines;
};

const url = "http://host:1/v1/dev/engines";
const subject = { endpoint: "list", url } as const;
const retry: EngineEvent = {
  ...subject,
  type: "retry",
  attempt: 1,
  delayMs: 1_200,
  reason: "Unavailable",
  status: 503,
  hinted: false,
  budgetTokens: 9,
};
const progress: EngineEvent = { ...subject, type: "progress", direction: "download", bytes: 1, totalBytes: undefined };
const request = { ...subject, method: "GET", attempt: 1, request: 1, durationMs: 12.3456 } as const;

test("every event is a line of its own", () => {
  const response = { ...request, type: "response", status: 200, bytes: 12_345 } as const;
  for (const [event, line] of [
    [
      { ...response, mediaType: "application/json", cacheStatus: "edge; hit" },
      `GET ${url} · 200 · application/json · 12,345 bytes · 12 ms · attempt 1 · cache edge; hit`,
    ],
    [
      { ...response, mediaType: undefined, cacheStatus: undefined },
      `GET ${url} · 200 · no media type · 12,345 bytes · 12 ms · attempt 1 · no cache`,
    ],
    [{ ...request, type: "request-error", reason: "TimedOut" }, `GET ${url} · timed out · 12 ms · attempt 1`],
    [
      {
        ...subject,
        method: "POST",
        type: "failure",
        reason: "TimedOut",
        status: 503,
        attempts: 2,
        requests: 2,
        retryStopped: "attempts",
      },
      `${url}: 503 after 2 attempts, not attempted again: attempts`,
    ],
    [
      {
        ...subject,
        type: "failure",
        reason: "TimedOut",
        status: undefined,
        attempts: 2,
        requests: 2,
        retryStopped: "deadline",
      },
      `${url}: timed out after 2 attempts, not attempted again: deadline`,
    ],
    [
      { ...subject, type: "fallback", asked: "protobuf", answered: "json" },
      `${url}: asked for protobuf, answered in json`,
    ],
    [{ ...subject, type: "token-refresh", because: "expiry" }, `${url}: token renewed (expiry)`],
    [{ ...subject, type: "breaker", state: "open" }, `${url}: circuit breaker open`],
    [
      { ...subject, type: "unknown-fields", message: "M", fields: ["a", "b"], count: 2 },
      `${url}: M has unknown fields a, b`,
    ],
    [progress, `${url}: download 1 of ? bytes`],
    [{ ...progress, totalBytes: 5 }, `${url}: download 1 of 5 bytes`],
    [{ ...subject, type: "drift", message: "M", detail: "d", numbers: {} }, `${url}: drift: M: d`],
    [{ ...subject, type: "verified", message: "M", detail: "d", numbers: {} }, `${url}: verified: M: d`],
  ] as const satisfies ReadonlyArray<readonly [Exclude<EngineEvent, { readonly type: "retry" }>, string]>) {
    expect(exchangeLine(event)).toBe(line);
    // Progress has no line of its own for people.
    const verbose = event.type === "progress" ? [] : [`${line}\n`];
    expect(written(plain, { verbose: true }, (notes) => notes.event(event))).toEqual(verbose);
    expect(written(plain, {}, (notes) => notes.event(event))).toEqual([]);
  }
});

test("a retry says what failed, how long it waits and which attempt follows", () => {
  for (const [more, said] of [
    [{}, "host:1 answered 503; retrying in 1.2 s (attempt 2 of 4)"],
    [{ hinted: true }, "host:1 answered 503; retrying in 1.2 s, as the server asks (attempt 2 of 4)"],
    [
      { status: 200, reason: "Undecodable" },
      "host:1 answered 200, which cannot be read; retrying in 1.2 s (attempt 2 of 4)",
    ],
    [{ status: undefined, reason: "Unreachable" }, "cannot reach host:1; retrying in 1.2 s (attempt 2 of 4)"],
    [{ status: undefined, reason: "TimedOut" }, "no answer from host:1; retrying in 1.2 s (attempt 2 of 4)"],
    [{ status: undefined, reason: "CircuitOpen" }, "host:1: circuit open; retrying in 1.2 s (attempt 2 of 4)"],
  ] as const) {
    const event = { ...retry, ...more };
    expect(written(plain, {}, (notes) => notes.event(event))).toEqual([`${said}\n`]);
    expect(written(plain, { verbose: true, quiet: true }, (notes) => notes.event(event))).toEqual([`${said}\n`]);
    expect(written(plain, { quiet: true }, (notes) => notes.event(event))).toEqual([]);
  }
});

const objects = (more: Partial<Verbosity>, given: EngineEvent): ReadonlyArray<unknown> =>
  written(plain, more, (notes) => notes.event(given)).map((line) => JSON.parse(line) as unknown);

test("as JSON an event has its time and numbers with three digits behind the point", () => {
  const event: EngineEvent = { ...request, type: "request-error", reason: "TimedOut" };
  const time = expect.stringMatching(/^\d{4}-.*Z$/) as unknown;
  const shown = [{ time, ...event, durationMs: 12.346 }];
  expect(objects({ trace: true }, event)).toEqual(shown);
  expect(objects({ json: true, verbose: true }, event)).toEqual(shown);
  expect(objects({ json: true }, event)).toEqual([]);
  expect(objects({ json: true }, retry)).toEqual([{ time, ...retry }]);
  expect(objects({ json: true, quiet: true }, retry)).toEqual([]);
  expect(objects({ trace: true }, progress)).toHaveLength(1);
  expect(objects({ json: true, verbose: true }, progress)).toEqual([]);
});

const say = (notes: Notes): void => {
  notes.note("one two three four five six seven eight nine", { shown: 1 });
  notes.warn("careful");
};

test("notes and warnings are lines, JSON for programs, nothing with --quiet, and fit the terminal", () => {
  const text = "one two three four five six seven eight nine";
  expect(written(plain, {}, say)).toEqual([`${text}\n`, "warning: careful\n"]);
  expect(written({ ...plain, colour: true }, {}, say)[1]).toBe("\u001b[33mwarning:\u001b[39m careful\n");
  expect(written(live, {}, say)[0]).toBe("one two three four five six seven eight\nnine\n");
  expect(written(plain, { quiet: true }, say)).toEqual([]);
  expect(written(live, { json: true }, say)).toEqual([
    `{"type":"note","message":"${text}","shown":1}\n`,
    '{"type":"warning","message":"careful"}\n',
  ]);
});

test("lines that are held are written afterwards, in their order", () => {
  const lines = written(plain, {}, (notes) => {
    notes.hold(true);
    notes.line("one");
    notes.hold(true);
    notes.line("two");
  });
  expect(lines).toEqual([]);
  expect(
    written(plain, {}, (notes) => {
      notes.hold(true);
      notes.line("one");
      notes.hold(true);
      notes.line("two");
      notes.hold(false);
      notes.line("three");
    }),
  ).toEqual(["one\n", "two\n", "three\n"]);
});

const see = (notes: Notes): void => {
  for (const age of [3, 80, 5]) notes.sawAge(age);
  notes.reportAge();
};

test("the age of the oldest answer is said to people and with --verbose", () => {
  const said = ["As it was 80 s ago, from a cache; --fresh asks past it.\n"];
  expect(written({ ...plain, isTTY: true }, {}, see)).toEqual(said);
  expect(written(plain, { verbose: true }, see)).toEqual(said);
  expect(written(plain, { verbose: true, json: true }, see)[0]).toContain('"ageSeconds":80}');
  expect(written(plain, {}, see)).toEqual([]);
  expect(written(live, {}, (notes) => notes.reportAge())).toEqual([]);
});

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] }));
afterEach(() => void vi.useRealTimers());

const clear = "\r\u001b[K";

test("progress shows after 400 ms on a live terminal alone, a frame each 100 ms, and is cleared", () => {
  const lines = written(live, {}, (notes) => {
    notes.progress("asking");
    vi.advanceTimersByTime(399);
    notes.progress(undefined);
  });
  expect(lines).toEqual([]);
  const shown = written(live, {}, (notes) => {
    notes.progress("asking");
    vi.advanceTimersByTime(500);
    notes.progress("asking for more");
    vi.advanceTimersByTime(100);
    notes.line("a line");
    notes.line("another");
    notes.hold(true);
    vi.advanceTimersByTime(100);
    notes.hold(false);
    vi.advanceTimersByTime(100);
    notes.progress(undefined);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1_000);
  });
  expect(shown).toEqual([
    `${clear}⠙ asking`,
    `${clear}⠹ asking`,
    `${clear}⠸ asking for more`,
    clear,
    "a line\n",
    "another\n",
    `${clear}⠼ asking for more`,
    clear,
  ]);
  for (const [terminal, more] of [
    [{ ...live, live: false }, {}],
    [live, { quiet: true }],
    [live, { json: true }],
  ] as const) {
    const nothing = written(terminal, more, (notes) => {
      notes.progress("asking");
      vi.advanceTimersByTime(5_000);
    });
    expect(nothing).toEqual([]);
  }
});

test("the frames turn, and a long activity is cut to the line", () => {
  const shown = written({ ...live, width: 12 }, {}, (notes) => {
    notes.progress("asking for\u001b a lot");
    vi.advanceTimersByTime(400 + 10 * 100);
  });
  expect(shown.map((text) => text.slice(clear.length))).toEqual(
    ["⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏", "⠋", "⠙"].map((frame) => `${frame} asking f…`),
  );
  const wide = written({ ...live, width: undefined }, {}, (notes) => {
    notes.progress("x".repeat(100));
    vi.advanceTimersByTime(400);
  });
  expect(wide).toEqual([`${clear}⠙ ${"x".repeat(76)}…`]);
});

test("a bar shows how much of a body of at least 100 kB came, and that waiting has an end", () => {
  const bars = (...events: ReadonlyArray<EngineEvent>): ReadonlyArray<string> =>
    written({ ...live, width: 80 }, {}, (notes) => {
      notes.progress("receiving");
      vi.advanceTimersByTime(399);
      for (const event of events) {
        notes.event(event);
        vi.advanceTimersByTime(100);
      }
      notes.progress(undefined);
    })
      .filter((text) => text !== clear)
      .map((text) => text.slice(clear.length + 2));
  const part = (bytes: number, totalBytes = 100_000): EngineEvent => ({ ...progress, bytes, totalBytes });
  expect(bars(part(0), part(50_000), part(99_999), part(200_000))).toEqual([
    `receiving ${"░".repeat(20)} 0%`,
    `receiving ${"█".repeat(10)}${"░".repeat(10)} 50%`,
    `receiving ${"█".repeat(20)} 99%`,
    `receiving ${"█".repeat(20)} 100%`,
  ]);
  expect(bars(part(1, 99_999))).toEqual(["receiving"]);
  expect(bars({ ...progress, bytes: 1 })).toEqual(["receiving"]);
  expect(bars({ ...progress, direction: "upload", bytes: 1, totalBytes: 100_000 })).toEqual(["receiving"]);
  const narrow = written({ ...live, width: 40 }, {}, (notes) => {
    notes.progress("receiving much");
    notes.event(part(0));
    vi.advanceTimersByTime(400);
  });
  expect(narrow).toEqual([`${clear}⠙ receiving mu… ${"░".repeat(20)} 0%`]);
  const waiting = written(live, {}, (notes) => {
    notes.waiting("zipper is inactive", 12_000);
    vi.advanceTimersByTime(400);
  });
  expect(waiting).toEqual([`${clear}⠙ zipper is inactive, 12 s left`]);
});
