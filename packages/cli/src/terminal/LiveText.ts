// Text on a terminal that is written again and again in the same place.
import type { Stdout } from "./Stdout.ts";

/** A piece of the screen. */
export interface LiveText {
  /** Shows these lines instead of those before; none may be wider than the terminal. */
  readonly show: (lines: ReadonlyArray<string>) => Promise<void>;
  /** Leaves the last lines where they are and gives the cursor back. */
  readonly end: () => void;
}

const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";

const giveBack = (): void => void process.stdout.write(showCursor);

/** Takes the place below the cursor. The cursor is given back even when the process ends in another way. */
export const liveText = (stdout: Stdout): LiveText => {
  let lines = 0;
  process.on("exit", giveBack);
  return {
    show: async (next) => {
      const up = lines === 0 ? hideCursor : `\r\u001b[${lines}A\u001b[J`;
      await stdout.write(`${up}${next.map((line) => `${line}\n`).join("")}`);
      lines = next.length;
    },
    end: () => {
      process.off("exit", giveBack);
      giveBack();
    },
  };
};
