// Process handle of the server for call figures.
import { fileURLToPath } from "node:url";
import { startProcess } from "@bytenite-engines/test-kit";

/** A server in a process of its own. */
export interface EngineServer extends AsyncDisposable {
  readonly origin: string;
}

/** Starts it; resolves when it accepts requests. */
export const startEngineServer = async (): Promise<EngineServer> => {
  const script = fileURLToPath(new URL("serveEngine.ts", import.meta.url));
  const server = await startProcess([script], { ready: /^(\d+)$/ });
  return { origin: `http://127.0.0.1:${server.said}`, [Symbol.asyncDispose]: () => server.stop() };
};
