// Shell completion: `bne __complete SHELL ...`.
import type { Command, Completion, Flag } from "../parse/Command.ts";
import { allFlags, commandAt, flagsOf, membersOf } from "../parse/CommandTable.ts";
import { topicNames } from "../parse/Topics.ts";
import { printText } from "../terminal/PlainText.ts";
import { safeText } from "../terminal/SafeText.ts";
import type { Candidate } from "./Lookup.ts";

/** A word that no shell acts upon when it stands on a command line. No engine, profile or flag needs more than this. */
const plainWord = /^[A-Za-z0-9@%+=:,._/-]+$/;

/** Prints one candidate a line, a tab and its summary behind it; `:files` when the shell is to offer files. */
export const complete = async (shell: string, args: ReadonlyArray<string>): Promise<void> => {
  const [line = "", breaks = ""] = args;
  const words = shell === "bash" ? splitLine(line) : args;
  const current = words.at(-1) ?? "";
  const offered = offer(words);
  let candidates: ReadonlyArray<Candidate>;
  if (offered.kind === "words") candidates = offered.candidates;
  else if (offered.what === "files") return printText(":files\n");
  else {
    const { lookUp } = await import("./Lookup.ts");
    candidates = (await lookUp(offered.what, words)).map(({ value, summary }) => ({
      value: offered.before + value,
      summary,
    }));
  }
  const lines = candidates
    .filter(({ value }) => value.startsWith(current) && plainWord.test(value))
    .map(({ value, summary }) =>
      shell === "bash" ? behindBreak(value, current, breaks) : `${value}\t${safeText(summary)}`,
    );
  printText(lines.map((text) => `${text}\n`).join(""));
};

/** Candidates: known words, or a kind of values to look up. */
export type Offer =
  | { readonly kind: "words"; readonly candidates: ReadonlyArray<Candidate> }
  | { readonly kind: "lookup"; readonly what: Extract<Completion, string>; readonly before: string };

/** Words behind `bne`; the last one is being typed and may be empty. */
export const offer = (words: ReadonlyArray<string>): Offer => {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  if (before.includes("--")) return none;
  const { positionals, awaiting } = read(before);
  const found = commandAt(positionals);
  if (awaiting !== undefined) {
    const flag = flagsFor(found?.command).find(({ name }) => name === awaiting.name) ?? awaiting;
    return valuesOf(flag.completes ?? flag.choices, "");
  }
  const assigned = /^(--([a-z-]+)=)/.exec(current);
  if (assigned !== null) {
    const flag = flagsFor(found?.command).find(({ name }) => name === assigned[2]);
    return valuesOf(flag?.completes ?? flag?.choices, assigned[1] ?? "");
  }
  if (current.startsWith("-")) {
    return wordsOffer(flagsFor(found?.command).map(({ name, summary }) => ({ value: `--${name}`, summary })));
  }
  if (found === undefined) return wordsOffer(nextWords(positionals));
  const wanted = found.command.positionals ?? [];
  const place = wanted[found.rest.length] ?? (wanted.at(-1)?.many === true ? wanted.at(-1) : undefined);
  if (place?.name === "COMMAND")
    return wordsOffer([...nextWords(found.rest), ...(found.rest.length === 0 ? topics : [])]);
  return place === undefined ? wordsOffer(nextWords(positionals)) : valuesOf(place.completes, "");
};

const topics = topicNames.map((value) => ({ value, summary: "topic" }));

const wordsOffer = (candidates: ReadonlyArray<Candidate>): Offer => ({ kind: "words", candidates });
const none: Offer = wordsOffer([]);

const flagsFor = (command: Command | undefined): ReadonlyArray<Flag> =>
  command === undefined ? [...allFlags().values()] : flagsOf(command);

/** Values without a flag, and the flag whose value comes next. */
const read = (words: ReadonlyArray<string>): { positionals: ReadonlyArray<string>; awaiting: Flag | undefined } => {
  const flags = flagsFor(undefined);
  const positionals: Array<string> = [];
  let awaiting: Flag | undefined;
  for (const word of words) {
    if (awaiting !== undefined) awaiting = undefined;
    else if (/^--?[A-Za-z]/.test(word)) {
      const flag = flags.find(({ name, short }) => word === `--${name}` || word === `-${short}`);
      awaiting = flag === undefined || flag.kind === "switch" ? undefined : flag;
    } else positionals.push(word);
  }
  return { positionals, awaiting };
};

const nextWords = (words: ReadonlyArray<string>): ReadonlyArray<Candidate> => {
  const members = membersOf(words);
  const at = words.length;
  return [...new Set(members.map(({ path }) => path[at] ?? ""))].map((value) => {
    const below = members.filter(({ path }) => path[at] === value);
    const own = below.find(({ path }) => path[at + 1] === undefined);
    return { value, summary: own?.summary ?? [...new Set(below.map(({ path }) => path[at + 1] ?? ""))].join(", ") };
  });
};

const valuesOf = (completion: Completion | undefined, prefix: string): Offer => {
  if (completion === undefined) return none;
  if (typeof completion === "string") return { kind: "lookup", what: completion, before: prefix };
  return wordsOffer(completion.map((value) => ({ value: prefix + value, summary: "" })));
};

/** The words of a line behind `bne` as a shell splits it, the last one as far as it is typed. */
export const splitLine = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/[ \t]*((?:\\.?|"[^"]*"?|'[^']*'?|[^ \t"'\\])+)|[ \t]+$/gs)]
    .slice(1)
    .map(([, word = ""]) => word.replaceAll(/\\(.?)|"([^"]*)"?|'([^']*)'?/gs, "$1$2$3"));

/** bash replaces only what stands behind the last break in a word, so what stands before it must not be repeated. */
export const behindBreak = (value: string, current: string, breaks: string): string => {
  const last = Math.max(-1, ...breaks.split("").map((char) => current.lastIndexOf(char)));
  // Readline leaves these in the word that is replaced (`rl_special_prefixes`), although they break words.
  return value.slice(["@", "$"].includes(current[last] ?? "") ? last : last + 1);
};
