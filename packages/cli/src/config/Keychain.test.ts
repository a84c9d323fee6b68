import type { SpawnOptions } from "node:child_process";
import { expect, test, vi } from "vitest";
import { askKeychain } from "./Keychain.ts";

/** What the keychain's process says, and how it was started. */
const asked = { program: "", options: undefined as SpawnOptions | undefined };

vi.mock(import("node:child_process"), async (original) => {
  const actual = await original();
  const spawn = (command: string, _args: ReadonlyArray<string>, options: SpawnOptions) => {
    asked.options = options;
    return actual.spawn(command, ["-e", asked.program], options);
  };
  return { ...actual, spawn: spawn as typeof actual.spawn };
});

test("an answer of the keychain is passed on, and its process is killed if it takes longer than 3 seconds", async () => {
  // It repeats the question, so that what is passed to it is seen.
  asked.program =
    "process.stdin.on('data', (data) => process.stdout.write(JSON.stringify({ done: true, secret: String(data) })))";
  const question = { action: "get", account: "default" } as const;
  expect(await askKeychain(question)).toEqual({ done: true, secret: JSON.stringify(question) });
  expect(asked.options).toMatchObject({ timeout: 3_000, killSignal: "SIGKILL" });
});

test.for(["", "process.stdin.destroy()", "process.stdout.write('no JSON')", "process.kill(process.pid, 'SIGKILL')"])(
  "a keychain's process that runs %j gives no answer",
  async (program) => {
    asked.program = program;
    expect(await askKeychain({ action: "remove", account: "default" })).toBeUndefined();
  },
);
