// A measured client in a separate process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Extent, Measurable, Sample } from "../Rounds.ts";

/** Starts the client of this name against an origin. It ends when it is disposed of, or with its parent. */
export const clientProcess = (name: string, origin: string): Measurable & AsyncDisposable => {
  const script = fileURLToPath(new URL("serveRounds.ts", import.meta.url));
  const child = spawn(process.execPath, [script, name, origin], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    name,
    round: async (extent: Extent): Promise<Sample> => {
      child.stdin.write(`${JSON.stringify(extent)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the process of ${name} ended`);
      return JSON.parse(value) as Sample;
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await exited;
    },
  };
};
