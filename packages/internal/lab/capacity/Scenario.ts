// Simulated load and its variations.
import type { ReadName } from "@bytenite-engines/core/wire";

/** A scenario. Its numbers are assumptions about users, unless they name a source. */
export interface Scenario {
  readonly name: string;
  /** Requests a second, world-wide. */
  readonly perSecond: number;
  /** Tokens in use, and the exponent of Zipf's law of their requests. */
  readonly tokens: number;
  readonly tokenSkew: number;
  /** Engines per token, and the exponent of their requests. */
  readonly tags: number;
  readonly tagSkew: number;
  /** Share of each endpoint; together 1. */
  readonly mix: Readonly<Record<ReadName, number>>;
  /** Data centres. Each token has one at home; all have the same number of tokens. */
  readonly dataCentres: number;
  /** Share of a token's requests that reach another data centre. */
  readonly roaming: number;
  /** Isolates of one data centre, and how long one lives on average, in seconds. Cloudflare publishes neither. */
  readonly isolates: number;
  readonly isolateSeconds: number;
  /** Length of answers, in bytes. */
  readonly bytes: Readonly<Record<ReadName, number>>;
  /** Time of an exchange with the upstream, in milliseconds. */
  readonly latencyMs: number;
  readonly workersCache: boolean;
  /** Factor of the deployed lifetimes, fresh and stale-while-revalidate. */
  readonly lifetimesTimes: number;
  /** Data centres that are simulated, each as a whole with all of its tokens; the others are like them. */
  readonly sampled: number;
  /** Simulated time, and the part that is not counted while the caches fill; in seconds. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** When the upstream fails, in seconds from the start; undefined: never. */
  readonly outage: readonly [from: number, to: number] | undefined;
}

/** 100,000 requests a second. */
export const base: Scenario = {
  name: "as deployed",
  perSecond: 100_000,
  tokens: 1_000_000,
  tokenSkew: 0.8,
  tags: 20,
  tagSkew: 1,
  mix: { list: 0.3, get: 0.4, status: 0.3 },
  dataCentres: 100,
  roaming: 0.1,
  isolates: 8,
  isolateSeconds: 1_200,
  bytes: { list: 8_000, get: 900, status: 120 },
  latencyMs: 60,
  workersCache: false,
  lifetimesTimes: 1,
  sampled: 2,
  seconds: 420,
  warmUpSeconds: 180,
  outage: undefined,
};

/** A shorter run, for comparisons. */
const brief = { sampled: 1, seconds: 300, warmUpSeconds: 150 } as const;

/** Variations: one thing changed at a time. */
export const variations: ReadonlyArray<Scenario> = [
  { ...base, ...brief, name: "1,000 requests a second, 10,000 tokens", perSecond: 1_000, tokens: 10_000, sampled: 20 },
  {
    ...base,
    ...brief,
    name: "10,000 requests a second, 100,000 tokens",
    perSecond: 10_000,
    tokens: 100_000,
    sampled: 5,
  },
  { ...base, ...brief, name: "1 isolate in a data centre", isolates: 1 },
  { ...base, ...brief, name: "64 isolates in a data centre", isolates: 64 },
  { ...base, ...brief, name: "isolates live for a minute", isolateSeconds: 60 },
  { ...base, ...brief, name: "100,000 tokens", tokens: 100_000 },
  { ...base, ...brief, name: "10,000 tokens", tokens: 10_000 },
  { ...base, ...brief, name: "lifetimes 5 times as long", lifetimesTimes: 5, seconds: 1_000, warmUpSeconds: 800 },
  {
    ...base,
    ...brief,
    name: "lifetimes 10 times as long",
    lifetimesTimes: 10,
    seconds: 1_500,
    warmUpSeconds: 1_300,
  },
  { ...base, ...brief, name: "half of all requests roam", roaming: 0.5 },
  { ...base, ...brief, name: "half roam, Workers Cache on", roaming: 0.5, workersCache: true },
  { ...base, ...brief, name: "Workers Cache on", workersCache: true },
];

/** The base scenario while the upstream fails for a minute. */
export const outage: Scenario = {
  ...base,
  name: "upstream down for a minute",
  sampled: 1,
  seconds: 480,
  outage: [300, 360],
};
