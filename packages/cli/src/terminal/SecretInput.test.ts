import { EventEmitter, getEventListeners } from "node:events";
import { Readable } from "node:stream";
import { afterEach, expect, test, vi } from "vitest";
import type { Invocation } from "../Invocation.ts";
import { printText } from "./PlainText.ts";
import { readSecretLine } from "./SecretInput.ts";

afterEach(() => void vi.restoreAllMocks());

const piped = (...chunks: ReadonlyArray<string>): Promise<string> =>
  readSecretLine({ stdin: Readable.from(chunks) } as unknown as Invocation, "Token");

test("a pipe has one line of at most 65,536 characters, its end included", async () => {
  expect(await piped("sec", "ret\n")).toBe("secret");
  expect(await piped(" secret \r\n")).toBe("secret");
  expect(await piped("x".repeat(65_536))).toHaveLength(65_536);
  await expect(piped("x".repeat(65_536), "x")).rejects.toThrow("The secret is longer than 65536 characters");
  await expect(piped("a\nb")).rejects.toThrow("There is more than one line");
  await expect(piped("a\rb")).rejects.toThrow("There is more than one line");
});

/** What comes of keys at a prompt, and what the terminal was told. */
const typed = async (
  keys: ReadonlyArray<string>,
  signal = new AbortController().signal,
): Promise<ReadonlyArray<unknown>> => {
  const said: Array<unknown> = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(text) > 0);
  const stdin = Object.assign(new EventEmitter(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => said.push(isRaw),
    resume: () => said.push("resume"),
    pause: () => said.push("pause"),
  });
  const notes = { hide: () => said.push("hide") };
  const line = readSecretLine({ stdin, notes, signal } as unknown as Invocation, "Token");
  for (const key of keys) stdin.emit("data", Buffer.from(key));
  const result = await line.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  expect([stdin.listenerCount("data"), getEventListeners(signal, "abort").length]).toEqual([0, 0]);
  return [result, ...said];
};

test("keys at a prompt are not shown, and can be taken back", async () => {
  const around = [true, "Token (not shown): ", "resume", false, "pause", "\n", "hide"];
  expect(await typed(["se", "cret", "\r"])).toEqual(["secret", ...around]);
  expect(await typed(["secrex\u007f", "t\b", "t\n"])).toEqual(["secret", ...around]);
  expect(await typed([" secret\u0004"])).toEqual(["secret", ...around]);
  expect(await typed(["secret\r\n "])).toEqual(["secret", ...around]);
  expect(await typed(["a\rb"])).toEqual(["There is more than one line", ...around]);
  expect((await typed(["x".repeat(65_536), "\r"]))[0]).toHaveLength(65_536);
  expect((await typed(["x".repeat(65_537)]))[0]).toBe("The secret is longer than 65536 characters");
});

test("Ctrl-C at a prompt is a signal, and an aborted run ends the prompt", async () => {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  const controller = new AbortController();
  kill.mockImplementation(() => {
    controller.abort(new Error("interrupted"));
    return true;
  });
  expect((await typed(["half\u0003more\r"], controller.signal))[0]).toBe("interrupted");
  expect(kill.mock.calls).toEqual([[process.pid, "SIGINT"]]);
});

test("plain text that cannot be written is reported, unless nobody reads it", () => {
  const said: Array<unknown> = [];
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(text) > 0);
  const [before, exitCode] = [process.stdout.listeners("error"), process.exitCode];
  printText("text");
  const listener = process.stdout.listeners("error").find((one) => !before.includes(one));
  const failed = (code: string): void =>
    void listener?.call(process.stdout, Object.assign(new Error("it failed"), { code }));
  failed("EPIPE");
  failed("EOF");
  expect([said, process.exitCode]).toEqual([[], exitCode]);
  failed("ENOSPC");
  const failedCode = process.exitCode;
  process.exitCode = exitCode;
  process.stdout.off("error", listener as () => void);
  expect([said, failedCode]).toEqual([["bne: Cannot write to stdout: it failed\n"], 1]);
});
