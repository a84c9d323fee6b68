// Answers a shell that asks what may stand next: `bne __complete SHELL ...`. Never fails loudly.
import { behindBreak, offer, splitLine, type Candidate } from "./Completer.ts";
import { printText } from "./terminal/PlainText.ts";
import { safeText } from "./text/SafeText.ts";

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
    const { lookUp } = await import("./CompletionLookup.ts");
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
