// Secrets from a pipe, or from a terminal without echo.
import { UsageError } from "@bytenite-engines/registry/command";
import type { Invocation } from "../Invocation.ts";

/** Longest secret, in characters. */
const maxSecretCharacters = 65_536;

const ctrlC = "\u0003";
const ctrlD = "\u0004";
const backspaces = new Set(["\u007f", "\b"]);

const tooLong = (): UsageError => new UsageError(`The secret is longer than ${maxSecretCharacters} characters`);
const tooMany = (): UsageError =>
  new UsageError("There is more than one line", "A token or key is one line; nothing of it was used.");

/** The only line of stdin; throws UsageError for more. On a terminal it prompts on stderr, without echo. */
export const readSecretLine = async ({ stdin, notes, signal }: Invocation, prompt: string): Promise<string> => {
  if (!stdin.isTTY) return pipedLine(stdin);
  // Before the prompt, so that early input is not echoed either.
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

const pipedLine = async (stdin: NodeJS.ReadStream): Promise<string> => {
  let text = "";
  // Leaving the loop closes stdin.
  for await (const chunk of stdin.setEncoding("utf8") as AsyncIterable<string>) {
    text += chunk;
    if (text.length > maxSecretCharacters) throw tooLong();
  }
  const line = text.replace(/\r?\n$/, "");
  if (/[\r\n]/.test(line)) throw tooMany();
  return line.trim();
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
      const text = chunk.toString("utf8");
      for (const [index, char] of text.split("").entries()) {
        if (char === "\r" || char === "\n" || char === ctrlD) {
          const pasted = text.slice(index + 1);
          return end(() => (pasted.trim() === "" ? resolve(line.trim()) : reject(tooMany())));
        }
        // In raw mode the terminal sends no signal by itself.
        if (char === ctrlC) return void process.kill(process.pid, "SIGINT");
        line = backspaces.has(char) ? line.slice(0, -1) : line + char;
        if (line.length > maxSecretCharacters) return end(() => reject(tooLong()));
      }
    };
    signal.addEventListener("abort", onAbort);
    stdin.on("data", onData);
    stdin.resume();
  });
