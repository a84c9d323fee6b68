// Model of the proxy by the rules of http-cache, without bytes.
import type { ReadName } from "@bytenite-engines/core/wire";
import { evaluate, requestDirectives, type Freshness } from "@bytenite-engines/http-cache";
import { byEndpoint, constantOf, freshnessAtZero, type WorkerSettings } from "./WorkerSettings.ts";
import { Tier } from "./Tier.ts";

/** A request. */
export interface Demand {
  readonly atMs: number;
  readonly dataCentre: number;
  /** Which of the isolates of the data centre gets it. */
  readonly isolate: number;
  readonly endpoint: ReadName;
  /** Token, endpoint and parameters as one number. */
  readonly key: number;
  /** The same, and where it is asked, for what is kept in one data centre only. */
  readonly localKey: number;
}

/** Its outcome. */
export type Became =
  | "memory"
  | "data-centre"
  | "stale"
  | "workers-cache"
  | "collapsed"
  | "fetched"
  | "stale-if-error"
  | "failed";

/** Parts of a model. */
export interface ModelOptions {
  readonly settings: WorkerSettings;
  /** Time of an exchange with the upstream, in milliseconds. */
  readonly latencyMs: number;
  /** Length of answers, in bytes. */
  readonly bytes: Readonly<Record<ReadName, number>>;
  /** Whether Workers Cache is behind the proxy: one for all data centres, fresh answers only. */
  readonly workersCache: boolean;
  /** Whether the upstream answers at a moment. */
  readonly isUp: (atMs: number) => boolean;
}

/** Overhead counted for an entry and its key: constants of apps/worker; a test compares them with its metrics. */
export const entryOverheadBytes = 2_000;
export const keyBytes = 2 * 60;

/** Constants of apps/worker, read from its sources: attempts for one answer, back-off of a resource, and how often a connection is probed. */
const maxAttempts = constantOf("Upstream.ts", "maxAttempts");
const minBackOffMs = constantOf("Admission.ts", "minBackOffMs");
const maxBackOffMs = constantOf("Admission.ts", "maxBackOffMs");
const probeEveryMs = constantOf("Admission.ts", "probeEveryMs");
const minProbePauseMs = constantOf("Admission.ts", "minProbePauseMs");

const plain = requestDirectives(null, null);

interface Isolate {
  readonly memory: Tier;
  /** Whether a probe has failed, and nobody has had an answer since. */
  isDown: boolean;
  probedAtMs: number;
  pauseMs: number;
  readonly backOffs: Map<number, { readonly untilMs: number; readonly backOffMs: number }>;
}

/** The proxy in all data centres, reduced to the decisions that cause upstream requests. */
export class EdgeModel {
  readonly #given: ModelOptions;
  readonly #templates: Readonly<Record<ReadName, Freshness>>;
  readonly #isolates = new Map<number, Isolate>();
  readonly #dataCentres = new Map<number, Tier>();
  readonly #global = new Tier();
  /** Requests that the upstream got, failed ones and retries included. */
  upstream = 0;
  /** Lookups in the Cache API. */
  looks = 0;

  constructor(given: ModelOptions) {
    this.#given = given;
    this.#templates = byEndpoint((endpoint) => freshnessAtZero(given.settings, endpoint, given.latencyMs));
  }

  /** The memories of all isolates that live. */
  get memories(): ReadonlyArray<{ readonly entries: number; readonly bytes: number }> {
    return [...this.#isolates.values()].map(({ memory }) => memory);
  }

  /** An isolate ends, and another takes its place when it is needed. */
  recycle(dataCentre: number, isolate: number): void {
    this.#isolates.delete(numberOf(dataCentre, isolate));
  }

  /** Removes expired entries of the data centres, as the Cache API does by itself. */
  sweep(nowMs: number): void {
    for (const tier of this.#dataCentres.values()) tier.sweep(nowMs);
    this.#global.sweep(nowMs);
  }

  request(demand: Demand): Became {
    const { atMs, key, localKey } = demand;
    const isolate = this.#isolate(demand);
    const near = isolate.memory.get(localKey, atMs);
    if (near !== undefined && evaluate(plain, near, atMs).action === "fresh") return "memory";
    const found = this.#newer(near, demand, isolate);
    const decision = evaluate(plain, found, atMs);
    if (decision.action === "fresh") return "data-centre";
    const isLed = isolate.memory.coming(localKey) !== undefined;
    if (decision.action === "stale") {
      if (!isLed) this.#exchange(demand, isolate, false);
      return "stale";
    }
    if (isLed) return "collapsed";
    if (this.#given.workersCache && found === undefined) {
      const shared = this.#global.get(key, atMs);
      if (shared !== undefined && evaluate(plain, shared, atMs).action === "fresh") {
        this.#keep(demand, isolate, shared);
        return "workers-cache";
      }
    }
    const orStale = decision.action === "validate" && decision.orStale;
    if (this.#exchange(demand, isolate, !orStale)) return "fetched";
    return orStale ? "stale-if-error" : "failed";
  }

  #isolate({ dataCentre, isolate }: Demand): Isolate {
    const number = numberOf(dataCentre, isolate);
    const known = this.#isolates.get(number);
    if (known !== undefined) return known;
    const { memoryBytes, memoryEntries } = this.#given.settings;
    const made: Isolate = {
      memory: new Tier(memoryBytes, memoryEntries),
      isDown: false,
      probedAtMs: Number.NEGATIVE_INFINITY,
      pauseMs: probeEveryMs,
      backOffs: new Map(),
    };
    this.#isolates.set(number, made);
    return made;
  }

  #dataCentre(number: number): Tier {
    const known = this.#dataCentres.get(number);
    if (known !== undefined) return known;
    const made = new Tier();
    this.#dataCentres.set(number, made);
    return made;
  }

  /** The newer entry of memory and data centre; memory keeps it. */
  #newer(near: Freshness | undefined, demand: Demand, { memory }: Isolate): Freshness | undefined {
    const { localKey, atMs, dataCentre } = demand;
    this.looks += 1;
    const far = this.#dataCentre(dataCentre).get(localKey, atMs);
    if (far === undefined || (near !== undefined && near.responseTimeMs >= far.responseTimeMs)) return near;
    memory.set(localKey, far, this.#size(demand), atMs);
    return far;
  }

  /** Asks the upstream, with retries where nothing stale is at hand and the last request did not fail; whether an answer comes. */
  #exchange(demand: Demand, isolate: Isolate, patient: boolean): boolean {
    const { atMs, endpoint, localKey } = demand;
    const { latencyMs, isUp } = this.#given;
    const backOff = isolate.backOffs.get(localKey);
    if (!patient && backOff !== undefined && atMs < backOff.untilMs) return false;
    const isDue = this.#probe(isolate, atMs, isolate.isDown);
    if (isolate.isDown && (!patient || !isDue)) return false;
    const most = patient && backOff === undefined && !isolate.isDown ? maxAttempts : 1;
    for (let attempt = 0; attempt < most; attempt++) {
      this.upstream += 1;
      if (!isUp(atMs)) continue;
      isolate.isDown = false;
      isolate.pauseMs = probeEveryMs;
      isolate.backOffs.delete(localKey);
      const template = this.#templates[endpoint];
      this.#keep(demand, isolate, { ...template, responseTimeMs: atMs + latencyMs });
      return true;
    }
    const backOffMs = backOff === undefined ? minBackOffMs : Math.min(maxBackOffMs, 2 * backOff.backOffMs);
    isolate.backOffs.set(localKey, { untilMs: atMs + backOffMs, backOffMs });
    this.#probe(isolate, atMs, true);
    return false;
  }

  /** Probes the connection where there is reason to, unless that was done lately; whether it was due. */
  #probe(isolate: Isolate, atMs: number, isWanted: boolean): boolean {
    if (!isWanted || atMs < isolate.probedAtMs + isolate.pauseMs) return false;
    isolate.probedAtMs = atMs;
    this.upstream += 1;
    const wasDown = isolate.isDown;
    isolate.isDown = !this.#given.isUp(atMs);
    if (!isolate.isDown) isolate.pauseMs = probeEveryMs;
    else isolate.pauseMs = wasDown ? Math.min(probeEveryMs, 2 * isolate.pauseMs) : minProbePauseMs;
    return true;
  }

  #keep(demand: Demand, { memory }: Isolate, freshness: Freshness): void {
    const { key, localKey, atMs, dataCentre } = demand;
    const size = this.#size(demand);
    memory.set(localKey, freshness, size, atMs);
    this.#dataCentre(dataCentre).set(localKey, freshness, size, atMs);
    if (this.#given.workersCache) this.#global.set(key, freshness, size, atMs);
  }

  #size({ endpoint }: Demand): number {
    return this.#given.bytes[endpoint] + entryOverheadBytes + keyBytes;
  }
}

/** Most isolates of one data centre. */
const maxIsolates = 4_096;

const numberOf = (dataCentre: number, isolate: number): number => dataCentre * maxIsolates + isolate;
