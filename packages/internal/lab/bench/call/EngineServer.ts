// Decides: how the server of the figures about calls is started beside us.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A server in a process of its own. */
export interface EngineServer extends AsyncDisposable {
  readonly origin: string;
}

/** Starts it; resolves when it accepts requests. */
export const startEngineServer = async (): Promise<EngineServer> => {
  const script = fileURLToPath(new URL("serveEngine.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const [port] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await once(child, "exit");
    },
  };
};
