// A process with a small heap that reads one answer: node --max-old-space-size=256 bombProcess.ts ENTRY BASE_URL LIMITS CALIBRATE
import * as Effect from "effect/Effect";
import { EngineClient } from "../src/index.ts";
import { createEngineClient, EngineError, type ClientOptions } from "../src/promise.ts";
import { calibration } from "../src/trust/index.ts";

const [, , entry = "", baseUrl = "", limits = "{}", calibrate = ""] = process.argv;
const options: ClientOptions = {
  baseUrl,
  limits: JSON.parse(limits) as Record<string, number>,
  retry: { maxAttempts: 2, baseDelayMs: 1 },
  attemptTimeoutMs: 60_000,
  deadlineMs: 60_000,
  ...(calibrate === "" ? {} : { trust: { calibration: calibration() } }),
};
const list = (): Promise<unknown> =>
  entry === "promise"
    ? createEngineClient(options).list()
    : EngineClient.pipe(
        Effect.flatMap((client) => client.list()),
        Effect.provide(EngineClient.layer(options)),
        Effect.runPromise,
      );

const ended = await list().then(
  () => "ok",
  (error: unknown) => (error instanceof EngineError ? error.reason : String(error)),
);
process.stdout.write(JSON.stringify(ended));
