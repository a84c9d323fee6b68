// The installed registry as a process.
import { startProcess } from "@bytenite-engines/test-kit";

/** A registry in a process of its own. */
export interface Served {
  /** Base URL of the API. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Starts the registry of a project. Rejects when it ends before it listens. */
export const serve = async (project: string): Promise<Served> => {
  const { said, stop } = await startProcess(["serve.js"], { cwd: project, ready: /^(\S+)$/ });
  return { url: said, stop: () => stop() };
};
