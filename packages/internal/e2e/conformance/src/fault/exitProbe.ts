// `node exitProbe.ts BASE_URL CASE`: one call, then its open handles.
import { apiKey } from "@bytenite-engines/core/api-key";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { held } from "./Held.ts";

const [, , baseUrl = "", name = ""] = process.argv;

const controller = new AbortController();
const client = createEngineClient({
  baseUrl,
  token: name === "abort in renewal" ? apiKey("probe-key-0123456789") : "probe-token",
  ...(name === "timeout" ? { attemptTimeoutMs: 50, retry: { maxAttempts: 1 } } : {}),
  ...(name === "failure" ? { retry: { baseDelayMs: 1 } } : {}),
  onEvent: ({ type }) => void (type === "retry" && name === "abort in backoff" && controller.abort("given up")),
  fetch: (url, init) => {
    if (name === "abort in request" || name === "abort in renewal") setImmediate(() => controller.abort("given up"));
    return fetch(url, init);
  },
});

const ended = await client.get("zipper", { signal: controller.signal }).then(
  () => "data",
  (error: unknown) => (error === "given up" ? "given up" : `${(error as { reason?: { _tag: string } }).reason?._tag}`),
);
// Sockets are closed, and let go of, in the turns of the loop that follow.
for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => void setImmediate(resolve));
process.stdout.write(JSON.stringify({ ended, held: held() }));
