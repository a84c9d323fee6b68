// wait and watch by a clock of their own: no test waits.
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { TestRegistry } from "@bytenite-engines/registry/testing";
import { changesBetween } from "../src/commands/watch.ts";
import { transcript, type Line } from "./Transcript.ts";

const clock = vi.hoisted(() => ({ now: 0, onTick: undefined as ((now: number) => void) | undefined }));
vi.mock("node:timers/promises", () => ({
  setTimeout: (ms: number) => {
    clock.now += ms;
    clock.onTick?.(clock.now);
    return Promise.resolve();
  },
}));
const realTimeout = setTimeout;
/** What the clock of a process says when it starts, unlike that of the tests. */
const startedAt = 100_000;
beforeEach(() => {
  // The deadline of a request is real time, and ends none here.
  vi.stubGlobal("setTimeout", (then: () => void, ms = 0) => realTimeout(then, ms < 40 ? ms : 1_000_000));
  vi.spyOn(performance, "now").mockImplementation(() => startedAt + clock.now);
});
afterEach(() => void vi.restoreAllMocks());

/** What one command line says, while something happens at its times. */
const timed = (
  line: Line,
  happens: (registry: TestRegistry, now: number) => unknown = () => undefined,
): Promise<string> =>
  transcript("bob", {}, [line], {}, (registry) => {
    clock.now = 0;
    clock.onTick = (now) => void happens(registry, now);
    happens(registry, 0);
  });

const unanswered = [{ fault: { status: 503 } }];

test("wait looks at each interval until the condition is met or the time is over", async () => {
  const waits: ReadonlyArray<readonly [line: Line, happens?: (registry: TestRegistry, now: number) => unknown]> = [
    ["wait word-count --timeout 5s"],
    ["wait word-count --timeout 250ms --interval 100ms"],
    ["wait word-count --timeout 249ms --interval 200ms"],
    ["wait word-count --timeout 50ms --interval 1s"],
    ["wait word-count --timeout 49ms"],
    ["wait word-count --timeout 0ms"],
    ["wait word-count --interval 299950ms"],
    ["wait word-count --interval 299951ms"],
    ["wait word-count frame-splitter --for =odd --timeout 1s --interval 1s"],
    ["wait frame-splitter --for !=active --timeout 1s"],
    ["wait frame-splitter --for inactive --timeout 1s"],
    ["wait frame-splitter --for deleted --timeout 1s"],
    ["wait nothing frame-splitter --for exists --timeout 1s"],
    ["wait word-count --interval 150s"],
    ["wait word-count -o json", (registry, now) => now === 4_000 && registry.change("bob", "word-count", "activate")],
    [
      "wait word-count long --interval 1s",
      (registry, now) => {
        if (now === 2_000) registry.change("bob", "long", "activate");
        if (now === 3_000) registry.change("bob", "word-count", "activate");
      },
    ],
    ["wait word-count", (registry, now) => now === 2_000 && registry.change("bob", "word-count", "delete")],
  ];
  const said: Array<string> = [];
  for (const [line, happens] of waits) said.push(await timed(line, happens));
  expect(said.join("")).toMatchSnapshot("wait");
});

test("wait goes on while the server does not answer, and says so once after five seconds", async () => {
  const said = [
    await timed("wait word-count --timeout 9s --interval 1s --attempts 1", (registry) =>
      registry.faults.set(unanswered),
    ),
    await timed("wait word-count --timeout 9s --interval 1s --attempts 1", (registry, now) => {
      if (now === 1_000) registry.faults.set(unanswered);
    }),
    await timed("wait frame-splitter --timeout 6049ms --interval 1s --attempts 1", (registry) =>
      registry.faults.set(unanswered),
    ),
    await timed("wait frame-splitter --timeout 9s --interval 1s --attempts 1", (registry, now) => {
      if (now === 0) registry.faults.set(unanswered);
      if (now === 6_000) registry.faults.clear();
    }),
    await timed("wait frame-splitter --timeout 6s --interval 1s --attempts 1", (registry) =>
      registry.faults.set(unanswered),
    ),
    await timed("wait frame-splitter --timeout 6050ms --interval 1s --attempts 1", (registry) =>
      registry.faults.set(unanswered),
    ),
    await timed("wait frame-splitter --timeout 9s --attempts 1", (registry) =>
      registry.faults.set([{ fault: { status: 403 } }]),
    ),
  ];
  expect(said.join("")).toMatchSnapshot("unanswered");
});

test("watch writes what changes, goes on over failures, and ends with the last one", async () => {
  const said = [
    await timed("watch word-count --timeout 5s --interval 1s", (registry, now) => {
      if (now === 2_000) registry.change("bob", "word-count", "activate");
      if (now === 4_000) registry.change("bob", "word-count@0.10", "delete");
    }),
    await timed("watch --timeout 250ms --interval 100ms --jq .tag"),
    await timed("watch --timeout 249ms --interval 200ms --jq .tag", (registry, now) => {
      if (now === 200) registry.change("bob", "long@0.2", "activate");
    }),
    await timed("watch nothing --timeout 1s"),
    await timed("watch nothing --timeout 1s --jq .["),
    await timed("@80 watch nothing --timeout 1s -o ndjson"),
    await timed("watch long --attempts 1 --timeout 9s --interval 1s --jq .event", (registry, now) => {
      if (now === 1_000) registry.faults.set(unanswered);
      if (now === 8_000) {
        registry.faults.clear();
        registry.change("bob", "long@1.0", "activate");
      }
    }),
    await timed("watch long --attempts 1 --timeout 3s --interval 1s --jq .event", (registry, now) => {
      if (now === 1_000) registry.faults.set(unanswered);
    }),
    await timed("watch long --attempts 1 --timeout 6050ms --interval 1s --jq .event", (registry, now) => {
      if (now === 1_000) registry.faults.set(unanswered);
    }),
    await timed("watch long --attempts 1 --timeout 6049ms --interval 1s --jq .event", (registry, now) => {
      if (now === 1_000) registry.faults.set(unanswered);
    }),
    await timed("watch --timeout 500ms --jq .tag", (registry) =>
      registry.faults.set([{ times: 1, fault: { status: 400 } }]),
    ),
    await timed("watch long --attempts 1 --timeout 9s --interval 1s", (registry) => registry.faults.set(unanswered)),
    await timed("watch long --attempts 1 --timeout 9s --interval 1s --jq .event", (registry, now) => {
      if (now === 1_000) registry.faults.set([{ fault: { status: 403 } }]);
    }),
    await timed("watch -o csv"),
    await timed("watch -o table"),
    await timed("watch -o wide"),
    await timed("watch -o json"),
  ];
  expect(said.join("").replaceAll(/"engine":\{[^\n]*\}\}/g, "ENGINE")).toMatchSnapshot("watch");
});

/** The fault that is a list of so many engines. */
const engines = (count: number, more: object = {}): Parameters<TestRegistry["faults"]["set"]>[0] => {
  const engines = Array.from({ length: count }, (_, index) => ({ name: `engine-${index}`, version: "1.0", ...more }));
  return [{ fault: { contentType: "application/json", body: { text: JSON.stringify({ engines }) } } }];
};

test("watch keeps a table up to date that fits the screen, and says what does not", async () => {
  // The screen is that of this process, which has none: 80 cells and 24 lines.
  const write = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  const before = process.listenerCount("exit");
  const said = [
    await timed("@80 watch word-count long@0.2 --timeout 3s --interval 1s", (registry, now) => {
      if (now === 1_000) registry.change("bob", "long@0.2", "activate");
    }),
    await timed("@80 watch --timeout 500ms --columns name,version", (registry) => registry.faults.set(engines(22))),
    await timed("@80 watch --timeout 500ms --columns name,version", (registry) => registry.faults.set(engines(21))),
    await timed("@80 watch --timeout 500ms --columns name --no-headers", (registry) =>
      registry.faults.set(engines(23)),
    ),
    await timed("@80 watch --timeout 500ms", (registry) => registry.faults.set(engines(0))),
    await timed("@80 watch --timeout 500ms --columns name,description", (registry) =>
      registry.faults.set(engines(22, { description: "x".repeat(100) })),
    ),
    await timed("@80 watch word-count --timeout 500ms --no-headers"),
    await timed("@80 watch word-count --timeout 500ms -o json"),
    await timed("@80 watch nothing --timeout 500ms -o wide"),
    await timed("@80 watch nothing --timeout 500ms --jq .tag"),
  ];
  expect(said.join("")).toMatchSnapshot("table");
  expect(write.mock.calls).toEqual(Array.from({ length: 8 }, () => ["\u001b[?25h"]));
  expect(process.listenerCount("exit")).toBe(before);
});

test("watch shows one line at least, however small the screen is", async () => {
  vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  const { columns, rows } = process.stdout;
  Object.assign(process.stdout, { columns: 30, rows: 2 });
  onTestFinished(() => void Object.assign(process.stdout, { columns, rows }));
  const show = (count: number): Promise<string> =>
    timed("@80 watch --timeout 500ms --columns name", (registry) => registry.faults.set(engines(count)));
  expect(await show(1)).toContain("... and 2 more\n");
  expect(await timed("@80 watch nothing --timeout 500ms")).toContain("No engines.\n");
  Object.assign(process.stdout, { rows: 4 });
  expect(await show(1)).toContain("name\nengine-0\n");
});

test("wait and watch ask past caches", async () => {
  for (const line of ["wait word-count --timeout 500ms", "watch word-count --timeout 500ms"]) {
    const fields = new Set<unknown>();
    await timed(line, ({ requests }) => {
      for (const { headers } of requests) fields.add(headers["cache-control"]);
    });
    expect(fields).toEqual(new Set(["no-cache"]));
  }
});

test("what changed between two looks is told by field, what was removed comes last", () => {
  const before = new Map([
    ["a", { x: 1, y: [1] }],
    ["b", { x: 1 }],
    ["c", { x: 1 }],
  ]);
  const after = new Map([
    ["new", { x: 5 }],
    ["c", { x: 1 }],
    ["a", { x: 1, y: [2] }],
  ]);
  expect(changesBetween(before, after)).toEqual([
    { event: "added", tag: "new", fields: [], engine: { x: 5 } },
    { event: "changed", tag: "a", fields: ["y"], engine: { x: 1, y: [2] } },
    { event: "removed", tag: "b", fields: [], engine: { x: 1 } },
  ]);
});
