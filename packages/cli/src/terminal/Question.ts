// A question with yes or no on the terminal.
import type { Invocation } from "../Invocation.ts";

/** Asks on stderr. False for any answer but y or yes, and where nobody can be asked: without a terminal on stdin and stderr. */
export const isConfirmed = async ({ stdin, notes, signal }: Invocation, question: string): Promise<boolean> => {
  if (!stdin.isTTY || !notes.terminal.isTTY) return false;
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: stdin, output: process.stderr });
  // Ctrl-C ends the run; the end of input is no answer.
  lines.on("SIGINT", () => void process.kill(process.pid, "SIGINT"));
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal }), closed]);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
};
