// The behaviour of the two classes, side by side.
import { createRequire } from "node:module";
import { CachePolicy } from "../src/compat/index.ts";
import type { Case } from "./differences.ts";
import { storedAtMs } from "./generateCase.ts";

const require = createRequire(import.meta.url);
// It has no types; that it has these methods is what is compared.
const Peer = require("http-cache-semantics") as typeof CachePolicy;

let nowMs = storedAtMs;

export class Ours extends CachePolicy {
  override now(): number {
    return nowMs;
  }
}

export class Theirs extends Peer {
  override now(): number {
    return nowMs;
  }
}

/** Fields in which the two always differ, as rows of the table without a case say. */
const served = (headers: object): ReadonlyArray<string> =>
  Object.keys(headers)
    .filter((name) => !["date", "warning", "age"].includes(name))
    .toSorted();

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

/** What a class says of a case. */
export const behaviour = (Policy: typeof Ours | typeof Theirs, given: Case): Record<string, unknown> => {
  nowMs = storedAtMs;
  const policy: CachePolicy = new Policy(given.request, given.response, given.options);
  const storable = policy.storable();
  const maxAge = rounded(policy.maxAge());
  nowMs += given.elapsedMs;
  const { response, revalidation } = policy.evaluateRequest(given.second);
  const reuse =
    response === undefined
      ? "none"
      : revalidation === undefined
        ? "as it is"
        : revalidation.synchronous
          ? "?"
          : "behind";
  const sent = policy.revalidationHeaders(given.second);
  const validated = policy.revalidatedPolicy(given.second, given.validation);
  return {
    storable,
    maxAge,
    age: rounded(policy.age()),
    // Of a response that may not be stored nobody asks these.
    stale: storable && policy.stale(),
    timeToLive: storable && policy.timeToLive(),
    whileRevalidate: storable && policy.useStaleWhileRevalidate(),
    reuse: storable && reuse,
    served: storable && reuse !== "none" && served(policy.responseHeaders()),
    sent: storable && [sent["if-none-match"], sent["if-modified-since"], sent["if-range"], served(sent)],
    modified: storable && validated.modified,
    matches: storable && validated.matches,
    updated: storable && validated.matches && served(validated.policy.responseHeaders()),
  };
};

/** Names of the properties in which the two classes differ. */
export const compare = (given: Case): ReadonlyArray<string> => {
  const ours = behaviour(Ours, given);
  const theirs = behaviour(Theirs, given);
  return Object.keys(ours).filter((name) => JSON.stringify(ours[name]) !== JSON.stringify(theirs[name]));
};
