// Final report of a run, and its pass criteria.
import { spreadOf } from "../bench/Statistics.ts";
import { callers } from "./Load.ts";
import { outcomes } from "./Ledger.ts";
import type { Sample, Soaked } from "./Soak.ts";

/** How much more memory a process may hold at the end than after warm-up: a part of it, and so many MiB. */
const maxGrowth = 0.1;
const slackMib = 12;
/** Sockets and other files that may be open at the end beyond those after warm-up. */
const maxMoreFiles = 8;
/** Sockets that one process may hold while nothing is under way: kept for callers on either side and between its parts. */
const maxSockets = 8 * callers;

/** A line of the table. */
export interface Line {
  readonly what: string;
  readonly value: string;
  readonly holds?: boolean;
}

const percent = (part: number, whole: number): string => `${((100 * part) / Math.max(whole, 1)).toFixed(1)} %`;

const number = (value: number): string => value.toLocaleString("en");

const listed = (counts: ReadonlyMap<string, number> | Readonly<Record<string, number>>): string =>
  [...(counts instanceof Map ? counts : Object.entries(counts as Readonly<Record<string, number>>))]
    .map(([name, count]) => `${name} ${number(count)}`)
    .join(", ");

/** Everything that was looked at. */
export const linesOf = (run: Soaked): ReadonlyArray<Line> => {
  const { findings, counts, samples, did } = run;
  const wrong = (kind: "wrong" | "foreign" | "refused" | "revoked"): number => findings.wrongBy.get(kind) ?? 0;
  return [
    { what: "events", value: listed(did) },
    { what: "correct responses", value: `${number(findings.rights)} (${listed(findings.rightBy)})` },
    { what: "wrong responses", value: number(wrong("wrong")), holds: wrong("wrong") === 0 },
    { what: "responses with another user's data", value: number(wrong("foreign")), holds: wrong("foreign") === 0 },
    { what: "valid tokens refused", value: number(wrong("refused")), holds: wrong("refused") === 0 },
    { what: "revoked tokens answered", value: number(wrong("revoked")), holds: wrong("revoked") === 0 },
    {
      what: "cache entries found by another token",
      value: number(run.sealedFound),
      holds: run.sealedFound === 0,
    },
    {
      what: "failed calls in rounds with faults",
      value: `${number(findings.failures)} (${listed(findings.failedBy)})`,
    },
    {
      what: "failed calls in rounds without faults",
      value: number(findings.failedInCalm),
      holds: findings.failedInCalm === 0,
    },
    { what: "calls cancelled", value: number(findings.aborted) },
    {
      what: "requests of clients",
      value: `${number(counts.sent)} sent, ${number(counts.answered)} answered; counted by the proxy ${number(counts.edge)} = ${outcomes.map((outcome) => `${outcome} ${number(counts.edgeBy[outcome])}`).join(" + ")}`,
    },
    { what: "from the cache", value: percent(counts.edgeBy.stored + counts.edgeBy["stale-if-error"], counts.edge) },
    {
      what: "requests of the proxy",
      value: `${number(counts.upstream)} sent, ${number(counts.upstreamAnswered)} answered in full; counted by the registry ${number(counts.registry)}, ${number(counts.torn)} with their connection cut`,
    },
    {
      what: "rounds whose counts do not add up",
      value: number(run.imbalances.length),
      holds: run.imbalances.length === 0,
    },
    ...memoryLines(samples),
  ];
};

/** Processes by the names that readers know. */
const titles = { client: "client", edge: "proxy", registry: "registry" } as const;

const memoryLines = (samples: ReadonlyArray<Sample>): ReadonlyArray<Line> => {
  const undisturbed = samples.filter(({ isYoung }) => !isYoung);
  const old = undisturbed.slice(Math.floor(undisturbed.length / 3));
  const processes = ["client", "edge", "registry"] as const;
  const most = Math.max(...samples.flatMap((sample) => processes.map((name) => sample[name].sockets)));
  return [
    ...processes.map((name) =>
      growthLine(
        `memory of the ${titles[name]}, MiB`,
        old.map((sample) => sample[name].residentMib),
        ({ from, to }) => to <= from * (1 + maxGrowth) + slackMib,
      ),
    ),
    ...(["client", "registry"] as const).map((name) =>
      growthLine(
        `heap of the ${titles[name]} after collection, MiB`,
        old.map((sample) => sample[name].heapMib),
        ({ from, to }) => to <= from * (1 + maxGrowth) + slackMib / 4,
      ),
    ),
    ...processes.map((name) =>
      growthLine(
        `open files of the ${titles[name]}`,
        old.map((sample) => sample[name].files),
        ({ from, to }) => to <= from + maxMoreFiles,
      ),
    ),
    { what: "most idle sockets of a process", value: `${most}`, holds: most <= maxSockets },
  ];
};

/** Samples at the beginning and at the end that are compared. */
const compared = 5;

/** How values went from the first few to the last few, by their medians; undefined: there are too few. */
const growthOf = (values: ReadonlyArray<number>): { readonly from: number; readonly to: number } | undefined =>
  values.length < 2 * compared
    ? undefined
    : { from: spreadOf(values.slice(0, compared)).median, to: spreadOf(values.slice(-compared)).median };

const growthLine = (
  what: string,
  values: ReadonlyArray<number>,
  holds: (growth: { readonly from: number; readonly to: number }) => boolean,
): Line => {
  const growth = growthOf(values);
  if (growth === undefined)
    return { what, value: `${values.at(-1)?.toFixed(1) ?? "unknown"} at the end; too short a run to compare` };
  return {
    what,
    value: `${growth.from.toFixed(1)} to ${growth.to.toFixed(1)}`,
    holds: holds(growth),
  };
};

/** The table, and beneath it what was found. */
export const textOf = (run: Soaked): string => {
  const lines = linesOf(run).map(({ what, value, holds }) => {
    const mark = holds === undefined ? " " : holds ? "ok" : "FAILED";
    return `${mark.padEnd(7)}${what}: ${value}`;
  });
  return `${[...lines, ...run.imbalances, ...run.findings.texts].join("\n")}\n`;
};

/** The list for docs/soak.md: what must be zero and is on one line, nothing in brackets. */
export const listOf = (run: Soaked): string => {
  const lines = linesOf(run);
  const zeros = lines.filter(({ value, holds }) => holds === true && value === "0").map(({ what }) => what);
  const others = lines.filter(({ what }) => !zeros.includes(what));
  return [
    `- 0: ${zeros.join("; ")}`,
    ...others.map(
      ({ what, value, holds }) =>
        `- ${what}: ${value.replace(/ \(.*\)/, "")}${holds === false ? ", **which must not be**" : ""}`,
    ),
  ]
    .map((line) => `${line}\n`)
    .join("");
};

/** Whether everything that must hold does. */
export const isGood = (run: Soaked): boolean => linesOf(run).every(({ holds }) => holds !== false);
