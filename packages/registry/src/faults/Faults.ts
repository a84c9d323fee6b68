// Choice of the rules that apply to a request.
import type { Fault, FaultEndpoint, FaultRule } from "./FaultRule.ts";

/** Request, as rules see it. */
export interface FaultSubject {
  readonly endpoint: FaultEndpoint | undefined;
  readonly token: string | undefined;
  /** Looked up only when a rule asks for it. */
  readonly user: () => Promise<string | undefined>;
}

/** A rule and its counts. */
export interface FaultState {
  readonly rule: FaultRule;
  /** Requests in scope so far. */
  readonly seen: number;
  /** Requests with the fault so far. */
  readonly struck: number;
}

/** The current rules. */
export interface Faults {
  /** Adds a rule after the others. The returned function removes it. */
  readonly add: (rule: FaultRule) => () => void;
  /** Replaces all rules. */
  readonly set: (rules: ReadonlyArray<FaultRule>) => void;
  readonly clear: () => void;
  readonly list: () => ReadonlyArray<FaultState>;
  /** The fault for a request, or undefined. Counts it. */
  readonly strike: (subject: FaultSubject) => Promise<Fault | undefined>;
  /** A random number from 0 to 1 of the seeded sequence. */
  readonly random: () => number;
}

interface Counted {
  readonly rule: FaultRule;
  seen: number;
  struck: number;
}

/** Rules and their counts. The same seed and requests give the same faults. */
export const makeFaults = (rules: ReadonlyArray<FaultRule> = [], seed = 1): Faults => {
  let counted: Array<Counted> = [];
  const random = seeded(seed);
  const add = (rule: FaultRule): (() => void) => {
    const entry = { rule, seen: 0, struck: 0 };
    counted.push(entry);
    return () => void (counted = counted.filter((other) => other !== entry));
  };
  const set = (rules: ReadonlyArray<FaultRule>): void => {
    counted = [];
    for (const rule of rules) add(rule);
  };
  set(rules);
  return {
    add,
    set,
    clear: () => set([]),
    list: () => counted.map((entry) => ({ ...entry })),
    random,
    strike: async (subject) => {
      const inForce = counted;
      const user = inForce.some(({ rule }) => rule.on?.user !== undefined) ? await subject.user() : undefined;
      let fault: Fault | undefined;
      for (const entry of inForce) {
        if (!inScope(entry.rule, subject, user)) continue;
        entry.seen += 1;
        const own = strikeOf(entry, random);
        if (own !== undefined) fault = fault === undefined ? own : { ...fault, ...own };
      }
      return fault;
    },
  };
};

const inScope = ({ on = {} }: FaultRule, subject: FaultSubject, user: string | undefined): boolean =>
  (on.endpoint === undefined || on.endpoint === subject.endpoint) &&
  (on.token === undefined || on.token === subject.token) &&
  (on.user === undefined || on.user === user);

const strikeOf = (entry: Counted, random: () => number): Fault | undefined => {
  const { rule } = entry;
  const script = Array.isArray(rule.fault) ? (rule.fault as ReadonlyArray<Fault>) : undefined;
  const times = rule.times ?? script?.length ?? Number.POSITIVE_INFINITY;
  if (entry.seen <= (rule.skip ?? 0) || entry.struck >= times) return undefined;
  if (rule.probability !== undefined && random() >= rule.probability) return undefined;
  const fault = script === undefined ? (rule.fault as Fault) : script[entry.struck % script.length];
  entry.struck += 1;
  return fault;
};

/** mulberry32: small, fast, and random enough for faults. */
const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};
