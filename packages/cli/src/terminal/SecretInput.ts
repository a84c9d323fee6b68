// Reads a secret: from a pipe as it is, from a terminal without showing it.
import { text } from "node:stream/consumers";
import type { Invocation } from "../Invocation.ts";

/** Longest secret, in characters. */
const maxSecretCharacters = 65_536;

const ctrlC = "\u0003";
const ctrlD = "\u0004";
const backspaces = new Set(["\u007f", "\b"]);

/** One line of stdin. On a terminal the prompt goes to stderr and nothing that is typed is shown. */
export const readSecretLine = async ({ stdin, notes, signal }: Invocation, prompt: string): Promise<string> => {
  if (!stdin.isTTY) return ((await text(stdin)).slice(0, maxSecretCharacters).split(/\r?\n/)[0] ?? "").trim();
  // First, so that what is typed as soon as the prompt is there is not shown either.
  stdin.setRawMode(true);
  process.stderr.write(`${prompt} (not shown): `);
  try {
    return await typedLine(stdin, signal);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    process.stderr.write("\n");
    notes.hide();
  }
};

const typedLine = (stdin: NodeJS.ReadStream, signal: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    let line = "";
    const end = (settle: () => void): void => {
      stdin.off("data", onData);
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = (): void => end(() => reject(signal.reason as Error));
    const onData = (chunk: Buffer): void => {
      for (const char of chunk.toString("utf8")) {
        if (char === "\r" || char === "\n" || char === ctrlD) return end(() => resolve(line.trim()));
        // In raw mode the terminal sends no signal by itself.
        if (char === ctrlC) return void process.kill(process.pid, "SIGINT");
        line = backspaces.has(char) ? line.slice(0, -1) : (line + char).slice(0, maxSecretCharacters);
      }
    };
    signal.addEventListener("abort", onAbort);
    stdin.on("data", onData);
    stdin.resume();
  });
