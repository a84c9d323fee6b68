// The keychain of the system, asked in a process of its own.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { KeychainAnswer, KeychainQuestion } from "./KeychainProcess.ts";

/** Longest wait for the keychain, in milliseconds. */
export const keychainLimitMs = 3_000;

/** Whether this bne can ask a keychain: the single executable, which has no native modules, cannot. */
export const hasKeychain: boolean = true;

/** Asks the keychain. Undefined: there is none, or it did not answer in time. */
export const askKeychain = async (question: KeychainQuestion): Promise<KeychainAnswer | undefined> => {
  const { spawn } = await import("node:child_process");
  const child = spawn(process.execPath, [fileURLToPath(new URL("./keychain.js", import.meta.url))], {
    stdio: ["pipe", "pipe", "ignore"],
    timeout: keychainLimitMs,
    killSignal: "SIGKILL",
  });
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify(question));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  try {
    await once(child, "close");
    return JSON.parse(text) as KeychainAnswer;
  } catch {
    return undefined;
  }
};
