import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { ClosedPipe, Stdout } from "./Stdout.ts";

/** Stdout over a stream that keeps what it is given, or fails with a code. */
const streamed = (
  code?: string,
): { readonly stdout: Stdout; readonly said: Array<unknown>; readonly text: () => string } => {
  const chunks: Array<Buffer> = [];
  const said: Array<unknown> = [];
  const stream = new Writable({
    write: (chunk: Buffer, _, done) => {
      chunks.push(chunk);
      done(code === undefined ? null : Object.assign(new Error("it failed"), { code }));
    },
  });
  const stdout = new Stdout(stream, {
    before: () => said.push("before"),
    onPager: (isOpen) => said.push(isOpen),
    onPagerFailure: (command, how) => said.push(`${command} ${how}`),
  });
  return { stdout, said, text: () => Buffer.concat(chunks).toString() };
};

test("text goes out as it is shown, bytes as they are, and nothing for nothing", async () => {
  const { stdout, said, text } = streamed();
  stdout.shown = (shown) => shown.toUpperCase();
  await stdout.write("");
  expect(said).toEqual([]);
  await stdout.write("text ");
  await stdout.write(Buffer.from("bytes"));
  await stdout.end();
  expect(text()).toBe("TEXT bytes");
  expect(said).toEqual(["before", "before"]);
  expect(stdout.leavePager()).toBe(false);
});

test("a closed pipe is told from a failure", async () => {
  for (const code of ["EPIPE", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END", "EOF"]) {
    await expect(streamed(code).stdout.write("x")).rejects.toBeInstanceOf(ClosedPipe);
  }
  await expect(streamed("ENOSPC").stdout.write("x")).rejects.toThrow("Cannot write to stdout: the disk is full");
  await expect(streamed("EIO").stdout.write("x")).rejects.toThrow("Cannot write to stdout: EIO");
});

/** A pager that keeps its input in a file, and the file. */
const keeping = (): { readonly command: string; readonly kept: () => string } => {
  const folder = mkdtempSync(join(tmpdir(), "bne-pager-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return { command: `cat > ${join(folder, "kept")}`, kept: () => readFileSync(join(folder, "kept"), "utf8") };
};

test("output of as many lines as the screen goes to a pager, less does not, and only the first write decides", async () => {
  for (const [first, isPaged] of [
    ["1\n2\n3\n", true],
    ["1\n2\n", false],
    ["1\n2\n3", false],
    [Buffer.from("1\n2\n3\n"), false],
  ] as const) {
    const { stdout, said, text } = streamed();
    const { command, kept } = keeping();
    stdout.usePager({ command, height: 3, env: process.env });
    await stdout.write(first);
    await stdout.write("4\n5\n6\n");
    await stdout.end();
    const all = `${first.toString()}4\n5\n6\n`;
    expect(text()).toBe(isPaged ? "" : all);
    expect(isPaged ? kept() : all).toBe(all);
    expect(said).toEqual(isPaged ? [true, "before", "before", false] : ["before", "before"]);
  }
  const { stdout, text } = streamed();
  await stdout.write("1\n2\n3\n");
  stdout.usePager({ command: "false", height: 1, env: process.env });
  await stdout.write("4\n5\n6\n");
  expect(text()).toBe("1\n2\n3\n4\n5\n6\n");
});

test("what a pager that fails was sent is written without it, unless it must have shown some", async () => {
  for (const [command, how] of [
    ["cat > /dev/null; exit 3", "ended with 3"],
    ["cat > /dev/null; kill -9 $$", "was ended by SIGKILL"],
  ] as const) {
    const { stdout, said, text } = streamed();
    stdout.usePager({ command, height: 1, env: process.env });
    await stdout.write("one\n");
    await stdout.write(Buffer.from("two\n"));
    await stdout.end();
    expect(text()).toBe("one\ntwo\n");
    expect(said.slice(-2)).toEqual([false, `${command} ${how}`]);
    await stdout.write("three\n");
    expect(text()).toBe("one\ntwo\nthree\n");
  }
  for (const [bytes, isWritten] of [
    [262_144, true],
    [262_145, false],
  ] as const) {
    const { stdout, text } = streamed();
    stdout.usePager({ command: "cat > /dev/null; exit 3", height: 1, env: process.env });
    await stdout.write("\n");
    await stdout.write("x".repeat(bytes - 1));
    await stdout.end();
    expect(text()).toHaveLength(isWritten ? bytes : 0);
  }
  // More than a pipe holds: the failure is seen while it is written.
  const failing = streamed();
  failing.stdout.usePager({ command: "exit 3", height: 1, env: process.env });
  await failing.stdout.write("\n".repeat(200_000));
  await failing.stdout.end();
  expect(failing.text()).toHaveLength(200_000);
  expect(failing.said).toEqual([true, "before", false, "exit 3 ended with 3"]);
  const { stdout, said, text } = streamed();
  stdout.usePager({ command: "exit 0", height: 1, env: process.env });
  await expect(stdout.write("\n".repeat(200_000))).rejects.toBeInstanceOf(ClosedPipe);
  await stdout.end();
  expect(text()).toBe("");
  expect(said).not.toContain("exit 0 ended with 0");
  const binary = streamed();
  binary.stdout.usePager({ command: "false", height: 1, env: process.env });
  await binary.stdout.write(Buffer.from("1"));
  expect(binary.text()).toBe("1");
});

test("a pager that the run leaves shows nothing more", async () => {
  const { stdout, said, text } = streamed();
  stdout.usePager({ command: "exec sleep 60", height: 1, env: process.env });
  await stdout.write("one\n");
  expect(stdout.leavePager()).toBe(true);
  await stdout.end();
  expect(text()).toBe("");
  expect(said).toEqual([true, "before", false]);
});
