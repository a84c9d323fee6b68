// Decides: which commands follow or compare engines, and what each takes.
import type { Command, Flag } from "../Command.ts";
import { asks, tag, tags } from "./Engines.ts";

const interval: Flag = {
  name: "interval",
  kind: "duration",
  value: "TIME",
  summary: "Time between two looks (default 2s)",
};

export const changeCommands: ReadonlyArray<Command> = [
  {
    path: ["wait"],
    summary: "Wait until an engine has a status",
    details: ["Exit code 0 once it has, 7 when the time is over. Failures that may pass are waited out."],
    positionals: [tag],
    flags: [
      {
        name: "for",
        kind: "text",
        value: "STATUS",
        summary: "Status to wait for (default active)",
        completes: ["active", "inactive"],
      },
      { name: "timeout", kind: "duration", value: "TIME", summary: "Longest time to wait (default 5m)" },
      interval,
    ],
    takes: asks,
    examples: [
      { line: "bne wait zipper@0.1 --for active --timeout 5m", explains: "Before a job that needs it" },
      {
        line: "bne wait zipper --for inactive --timeout 1s --interval 200ms",
        explains: "Not within a second: exit code 7",
        exit: 7,
      },
    ],
    load: () => import("../commands/wait.ts"),
  },
  {
    path: ["watch"],
    summary: "Watch engines change",
    details: [
      "On a terminal a table that keeps itself up to date; elsewhere, or with --output ndjson, one JSON object per event: added, changed, removed.",
      "Without a tag all engines are watched. Ends with Ctrl-C, or after --timeout with exit code 0.",
    ],
    positionals: [{ ...tags, optional: true }],
    flags: [interval, { name: "timeout", kind: "duration", value: "TIME", summary: "End after this time" }],
    takes: asks,
    examples: [{ line: "bne watch zipper fanout-urls --timeout 1s", explains: "Two engines, for a second" }],
    load: () => import("../commands/watch.ts"),
  },
  {
    path: ["diff"],
    summary: "Compare two engines field by field",
    details: [
      "Exit code 0 when they agree, 7 when they differ. What differs from version to version anyway (id, name, version, revision, link, createdAt, updatedAt, deletedAt) counts only with --everything.",
    ],
    positionals: [
      { ...tag, name: "LEFT", summary: "a tag" },
      { ...tag, name: "RIGHT", summary: "another tag" },
    ],
    flags: [
      { name: "everything", kind: "switch", summary: "Compare id, name, version, revision, link and times, too" },
    ],
    takes: asks,
    examples: [
      { line: "bne diff zipper zipper@0.1", explains: "The same: exit code 0" },
      {
        line: "bne diff zipper fanout-urls --output json",
        explains: "What differs, for programs: exit code 7",
        exit: 7,
      },
    ],
    load: () => import("../commands/diff.ts"),
  },
];
