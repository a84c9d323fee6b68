// Cloudflare's published prices, in US dollars.

/** When the pages were read. */
export const pricesReadOn = "2026-11-25";

/** A price beyond what a plan includes each month. */
interface Price {
  readonly included: number;
  /** For each further million. */
  readonly perMillion: number;
  readonly source: string;
}

const workersPricing = "https://developers.cloudflare.com/workers/platform/pricing/";

/** Workers Paid, Standard usage model. Requests to Workers Cache cost like requests; the Cache API and subrequests nothing. */
export const prices = {
  /** The plan itself, a month. */
  planPerMonth: 5,
  requests: { included: 10e6, perMillion: 0.3, source: workersPricing },
  cpuMilliseconds: { included: 30e6, perMillion: 0.02, source: workersPricing },
  /** Until December 1, 2026; then the prices of Cloudflare Observability apply. */
  logEvents: { included: 20e6, perMillion: 0.6, source: workersPricing },
  /** Published, and not billed yet. */
  analyticsPoints: {
    included: 10e6,
    perMillion: 0.25,
    source: "https://developers.cloudflare.com/analytics/analytics-engine/pricing/",
  },
  d1RowsRead: { included: 25e9, perMillion: 0.001, source: "https://developers.cloudflare.com/d1/platform/pricing/" },
} as const satisfies Readonly<Record<string, Price | number>>;

/** Lines of log that an account keeps a day; of those beyond it, 1 % (https://developers.cloudflare.com/workers/observability/logs/workers-logs/#limits). */
export const logLinesPerDay = 5e9;

/** Cost of so many in a month. */
export const costOf = (count: number, { included, perMillion }: Price): number =>
  (Math.max(0, count - included) / 1e6) * perMillion;

/**
 * Queries that one D1 database answers in a second: it takes one at a time, so about 1,000 where a query takes a
 * millisecond (https://developers.cloudflare.com/d1/platform/limits/).
 */
export const d1QueriesPerSecond = 1_000;

/** Regions of D1: one primary, and at most one read replica in each (https://developers.cloudflare.com/d1/best-practices/read-replication/). */
export const d1Regions = 6;

/** Memory after which the runtime ends an isolate, in bytes (https://developers.cloudflare.com/workers/platform/limits/). */
export const isolateBytes = 128 * 1024 * 1024;
