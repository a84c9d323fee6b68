// Fuzz target: command lines of `bne`.
import { parseCommandLine } from "#bne/parse/Arguments";
import { UsageError } from "@bytenite-engines/registry/command";
import { must, textOf, type Target } from "../Target.ts";

/** Longest refusal, in characters: what was given is quoted in part only. */
const maxSentence = 1_000;

/** An argument a line. */
export const fuzz: Target = (data) => {
  const argv = textOf(data).split("\n");
  try {
    const { kind } = parseCommandLine(argv);
    must(["run", "help", "version"].includes(kind), "a command line asks for nothing that there is");
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    must(`${error.message}${error.hint ?? ""}`.length <= maxSentence, "a refusal is longer than a sentence");
  }
};
