// Totals over many field numberings, and their Markdown page.
import type { Way } from "../ForeignServers.ts";

/** A caller. */
export type Caller = "client" | "bne";

/** Result of all numberings tried by a caller, on one path. */
export interface Tally {
  readonly caller: Caller;
  readonly way: Way;
  /** Numberings that were tried, one registry each. */
  readonly numberings: number;
  /** Different calls, of all numberings; each is made three times by the client, twice by `bne`. */
  readonly calls: number;
  /** Answers that were compared with the right ones. */
  readonly compared: number;
  /** Of each wrong one: of which numbering it is, and what was wrong. */
  readonly wrong: ReadonlyArray<string>;
  /** Requests that the calls took before there was a profile (of the client two rounds), and in the last round, with one. */
  readonly requests: { readonly plain: number; readonly last: number };
  /** How many calls of the last round were answered in protobuf with their only request. */
  readonly regained: number;
  /** Numberings whose data shows every field, in the order in which they were tried, and of which that was not so for all calls. */
  readonly incomplete: ReadonlyArray<number>;
}

/** Result of one numbering. */
export type Part = Omit<Tally, "caller" | "way" | "numberings">;

/** Adds them up. */
export const tallyOf = (caller: Caller, way: Way, parts: ReadonlyArray<Part>): Tally => {
  const sum = (of: (part: Part) => number): number => parts.reduce((total, part) => total + of(part), 0);
  return {
    caller,
    way,
    numberings: parts.length,
    calls: sum(({ calls }) => calls),
    compared: sum(({ compared }) => compared),
    wrong: parts.flatMap(({ wrong }) => wrong),
    requests: { plain: sum(({ requests }) => requests.plain), last: sum(({ requests }) => requests.last) },
    regained: sum(({ regained }) => regained),
    incomplete: parts.flatMap(({ incomplete }) => incomplete),
  };
};

const figure = (value: number): string => value.toLocaleString("en");

const row = ({ caller, way, numberings, calls, compared, wrong, requests, regained }: Tally): string =>
  `| ${[`${caller}, ${way}`, ...[numberings, calls, compared, wrong.length, requests.plain, requests.last, regained].map(figure)].join(" | ")} |`;

/** The table, in Markdown. */
export const tableOf = (tallies: ReadonlyArray<Tally>): string =>
  [
    "| caller | numberings | calls | compared | wrong | requests without profile | with profile | in protobuf |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...tallies.map(row),
  ].join("\n");

/** The page that keeps the record of a run. */
export const pageOf = (tallies: ReadonlyArray<Tally>, command: string, date: string): string =>
  [
    "# Foreign field numbers, tried",
    "",
    `\`pnpm build && ${command}\`, on ${date}. Each numbering is a registry without schema digest and with other field numbers. All lists, gets and`,
    "statuses are called in two rounds by a client without a profile and in one with the inferred profile, and by `bne` before and after `bne doctor`,",
    "and compared with the JSON of the same registry. *In protobuf*: in the last round, with one request.",
    "",
    tableOf(tallies),
    "",
  ].join("\n");
