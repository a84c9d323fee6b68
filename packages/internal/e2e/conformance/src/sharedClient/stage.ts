// A Worker with shared clients in front of a controllable API.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import {
  bundled,
  close,
  compatibilityDate,
  directSocket,
  emulate,
  listen,
  moduleOf,
  originOf,
} from "@bytenite-engines/test-kit";
import { expect } from "vitest";

/** Gives its request up as soon as the test says so. */
const front = `export default {
  async fetch(request, env) {
    const controller = new AbortController();
    const answer = env.SHARED.fetch(request, { signal: controller.signal }).then((response) => response.text());
    await fetch(env.ORIGIN + "/abort");
    controller.abort();
    return new Response(await answer.then(() => "answered", () => "aborted"));
  },
};`;

/** Responses of the Worker. */
export interface Answered {
  readonly status: number;
  readonly name?: string;
  readonly owner?: string;
  readonly error?: unknown;
}

/** An API whose engines are owned by whoever asks, and which answers when it is let go. */
const startApi = async () => {
  const waiting: Array<() => void> = [];
  const aborts: Array<() => void> = [];
  const counts = { arrived: 0, engines: 0, exchanges: 0, never: 0 };
  let isOpen = false;
  const whenOpen = (answer: () => void): void => void (isOpen ? answer() : waiting.push(answer));
  const answer = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const { url = "", headers } = request;
    const say = (status: number, value: unknown): void =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (url === "/never") return void (counts.never += 1);
    if (url === "/abort") return void aborts.push(() => response.end());
    if (url === "/arrived") counts.arrived += 1;
    if (!url.startsWith("/v1/")) return void response.end("ok");
    if (url === "/v1/auth/access_token") {
      counts.exchanges += 1;
      const { apiKey } = JSON.parse(body) as { readonly apiKey: string };
      return whenOpen(() => say(200, { token: `token-for-${apiKey}`, expiresIn: "3600" }));
    }
    counts.engines += 1;
    return whenOpen(() => say(200, { name: url.split("/").at(-1), owner: headers.authorization ?? "" }));
  };
  const server = createServer((request, response) => {
    const parts: Array<Buffer> = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => answer(request, response, Buffer.concat(parts).toString()));
  });
  return {
    origin: await listen(server),
    counts,
    open: (): void => {
      isOpen = true;
      for (const go of waiting.splice(0)) go();
    },
    close: (): void => void (isOpen = false),
    abort: (): void => {
      for (const go of aborts.splice(0)) go();
    },
    stop: () => close(server),
  };
};

/** Starts both. */
export const startStage = async () => {
  const api = await startApi();
  const code = await bundled(fileURLToPath(new URL("worker.ts", import.meta.url)));
  const env = { ORIGIN: { type: "text" as const, value: api.origin } };
  const miniflare = await emulate([
    {
      config: {
        name: "front",
        compatibilityDate,
        manifest: moduleOf(front),
        env: { ...env, SHARED: { type: "worker", worker: "shared" } },
      },
      dev: directSocket,
    },
    {
      config: {
        name: "shared",
        compatibilityDate,
        compatibilityFlags: ["nodejs_compat"],
        manifest: moduleOf(code),
        env,
      },
      dev: directSocket,
    },
  ]);
  const shared = await originOf(miniflare, "shared");
  const fronted = await originOf(miniflare, "front");
  return {
    api,
    /** One request to the Worker: `ENTRY/CREDENTIAL/USER/TAG`. */
    ask: async (path: string): Promise<Answered> => {
      const response = await fetch(`${shared}/${path}`);
      const text = await response.text();
      const isJson = text.startsWith("{");
      return { status: response.status, ...(isJson ? (JSON.parse(text) as object) : { error: text }) };
    },
    /** The same, cancelled at the API's command. */
    askAndAbort: async (path: string): Promise<string> => (await fetch(`${fronted}/${path}`)).text(),
    /** Resolves when the client has asked for something. */
    asked: () => expect.poll(() => api.counts.engines + api.counts.exchanges + api.counts.never).toBeGreaterThan(0),
    /** Resolves when so many requests have reached the Worker. */
    arrived: (count: number) => expect.poll(() => api.counts.arrived, { timeout: 10_000 }).toBe(count),
    stop: async (): Promise<void> => {
      await miniflare.dispose();
      await api.stop();
    },
  };
};

export type Stage = Awaited<ReturnType<typeof startStage>>;
