// Client runs over one field numbering.
import { createEngineClient, type ClientOptions } from "@bytenite-engines/core/promise";
import { FieldNumberInference, fieldNumbers } from "@bytenite-engines/core/infer";
import { startForeignRegistry, type ForeignServers, type Way } from "../ForeignServers.ts";
import { seeded } from "@bytenite-engines/test-kit/random";
import { round, trueCalls, type TrueCall } from "../Round.ts";
import type { Part } from "./Tally.ts";

/** One of so many numberings has only engines in which much is empty or equal. */
const bareEvery = 3;

/**
 * Makes every call, in a random order each time: two rounds of a client that knows nothing, then one round with a profile. The profile
 * is inferred from the registry itself, as `bne doctor` does.
 */
export const tryClient = async (servers: ForeignServers, way: Way, seed: number): Promise<Part> => {
  const isFull = seed % bareEvery !== 0;
  const random = seeded(seed * 1000);
  await using registry = await startForeignRegistry(seed, isFull);
  const token = `t-${seed}`;
  const calls = await trueCalls(registry.url, token);
  const baseUrl = servers.urlBy(way, token, registry);
  const plain = createEngineClient({ baseUrl, token });
  const first = await round(plain, calls, random);
  const second = await round(plain, calls, random);
  const client = createEngineClient({
    baseUrl,
    token,
    ...(await inferred(registry.url, token, calls, new URL(baseUrl))),
  });
  // The first response that is read by a profile is compared with its JSON.
  await client.list({ limit: 1 });
  const last = await round(client, calls, random);
  const isComplete = last.regained === calls.length;
  return {
    calls: calls.length,
    compared: 3 * calls.length,
    wrong: [...first.wrong, ...second.wrong, ...last.wrong].map((what) => `numbering ${seed}: ${what}`),
    requests: { plain: first.requests + second.requests, last: last.requests },
    regained: last.regained,
    incomplete: isFull && !isComplete ? [seed] : [],
  };
};

const inferred = async (
  registry: string,
  token: string,
  calls: ReadonlyArray<TrueCall>,
  { origin }: URL,
): Promise<Pick<ClientOptions, "protobufVerification">> => {
  const inference = new FieldNumberInference();
  const client = createEngineClient({ baseUrl: registry, token, format: "json", middleware: [inference.middleware] });
  // Twice: a number that only the server has must be seen twice.
  for (const [, call] of [...calls, ...calls]) await call(client);
  const numbers = fieldNumbers(inference.profile(origin, Date.now()));
  // Fields unknown to the profile cost a request each time, so that all calls are tried in protobuf.
  return { protobufVerification: { fieldNumbers: [numbers], responsesPerExtraRequest: 1 } };
};
