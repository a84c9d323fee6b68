// A server of engines as a process, and the built Worker.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { serve } from "@bytenite-engines/test-kit";
import { onTestFinished } from "vitest";
import { builtWorker } from "../scripts/built.ts";
import { adminSecret } from "./served.ts";

/** What the server has seen. */
export interface OriginState {
  /** The first requests: target, and header as it was sent (name, value, name, ...). */
  readonly asked: ReadonlyArray<{ readonly url: string; readonly fields: ReadonlyArray<string> }>;
  inFlight: number;
  mostInFlight: number;
}

/** How the server is to answer. */
export interface Scripted {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Conditional requests are answered 304. */
  readonly confirms?: boolean;
}

/** Path of an engine that is answered so. `id` distinguishes engines with equal responses. */
export const answering = (script: Scripted, id = 0): string =>
  `/engines/answer-${Buffer.from(JSON.stringify({ ...script, id })).toString("base64url")}`;

export interface Origin {
  /** Base URL of its API. */
  readonly url: string;
  readonly state: () => Promise<OriginState>;
  /** Nothing answers any more. */
  readonly kill: () => Promise<void>;
}

/** Both end with the test. */
export const startOrigin = async (): Promise<Origin> => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("originProcess.ts", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.stdin.end());
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  const origin = `http://127.0.0.1:${port.toString().trim()}`;
  return {
    url: `${origin}/v1/dev`,
    kill: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
    state: async () => (await (await fetch(`${origin}/state`)).json()) as OriginState,
  };
};

export interface Proxy {
  readonly url: string;
  readonly get: (token: string | undefined, path: string, headers?: Record<string, string>) => Promise<Response>;
}

/** The built Worker in front of an upstream. */
export const startProxy = async (
  upstreamUrl: string,
  variables: Readonly<Record<string, string>> = {},
  port = 0,
): Promise<Proxy> => {
  const code = await builtWorker();
  const settings = { UPSTREAM_URL: upstreamUrl, ADMIN_SECRET: adminSecret, LOG: "off", ...variables };
  const running = await serve({ name: "worker", code, port, variables: settings });
  onTestFinished(() => running.stop());
  return {
    url: running.url,
    get: (token, path, headers = {}) =>
      fetch(`${running.url}/v1/dev${path}`, {
        headers: { accept: "application/json", ...(token === undefined ? {} : { authorization: token }), ...headers },
      }),
  };
};
