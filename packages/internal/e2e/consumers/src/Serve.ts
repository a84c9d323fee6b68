// Decides: how a registry that a consumer has installed is started, and that it ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A registry in a process of its own. */
export interface Served {
  /** Base URL of the API. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Starts the registry of a project. Rejects when it ends before it listens. */
export const serve = async (project: string): Promise<Served> => {
  const child = spawn(process.execPath, ["serve.js"], { cwd: project, stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const [url] = (await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    ended.then(([code]) => Promise.reject(new Error(`the registry ended with ${code}`))),
  ])) as [string];
  return {
    url,
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
};
