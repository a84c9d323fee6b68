// bne on a pseudo-terminal, and its screen.
import { spawn } from "@lydell/node-pty";
import xterm from "@xterm/headless";
import { binPath, type Home } from "./Bne.ts";

/** A run on a terminal. */
export interface PtyRun {
  /** All that was written, escapes included. */
  readonly raw: () => string;
  readonly type: (text: string) => void;
  /** Resolves once what was written matches. */
  readonly until: (pattern: RegExp) => Promise<void>;
  readonly ended: Promise<number>;
  /** The lines on the screen, without those that are empty at the end. */
  readonly screen: () => Promise<ReadonlyArray<string>>;
  readonly cursorIsHidden: () => boolean;
  readonly kill: (signal: string) => void;
}

/** How a terminal is made. */
export interface PtyOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts bne on a terminal. */
export const onTerminal = (home: Home, args: ReadonlyArray<string>, options: PtyOptions = {}): PtyRun =>
  programOnTerminal(process.execPath, [binPath, ...args], home, options);

/** Starts any program on a terminal. */
export const programOnTerminal = (
  program: string,
  args: ReadonlyArray<string>,
  home: Home,
  options: PtyOptions = {},
): PtyRun => {
  const { columns: cols = 80, rows = 40 } = options;
  const pty = spawn(program, [...args], { cols, rows, cwd: home.path, env: { ...home.env, ...options.env } });
  const terminal = new xterm.Terminal({ cols, rows, allowProposedApi: true });
  let raw = "";
  const waiting = new Set<() => void>();
  pty.onData((data) => {
    raw += data;
    terminal.write(data);
    for (const check of waiting) check();
  });
  const ended = new Promise<number>((resolve) =>
    pty.onExit(({ exitCode, signal }) => resolve(signal ? 128 + signal : exitCode)),
  );
  return {
    raw: () => raw,
    type: (text) => pty.write(text),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!pattern.test(raw)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
        void ended.then(() => reject(new Error(`it ended before ${String(pattern)}: ${JSON.stringify(raw)}`)));
      }),
    ended,
    screen: async () => {
      await new Promise<void>((resolve) => terminal.write("", resolve));
      const { active } = terminal.buffer;
      const lines = Array.from(
        { length: active.length },
        (_, index) => active.getLine(index)?.translateToString(true) ?? "",
      );
      while (lines.at(-1) === "") lines.pop();
      return lines;
    },
    cursorIsHidden: () => raw.lastIndexOf("\u001b[?25l") > raw.lastIndexOf("\u001b[?25h"),
    kill: (signal) => pty.kill(signal),
  };
};
