// Decides: whether protobuf bytes of an origin may be believed, and what the JSON of the same resource says about them.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Format } from "../MediaType.ts";
import { LimitExceeded } from "../ReadLimits.ts";
import { MessageBytes } from "../MessageBytes.ts";
import { readOwn } from "../MessageReader.ts";
import { claims, isOurs } from "./Claim.ts";
import { drift, drifted, lie, nowOurs, withoutJson } from "./Drift.ts";
import { isSample, isTaught, newKind, noteForm, type Kind } from "./Kind.ts";
import type { Numbers } from "./Numbers.ts";
import { ownNumbers } from "./OwnNumbers.ts";
import type { Finding, ProtobufAnswer, Testimony, Trust, TrustNews, Verdict } from "./Verdict.ts";

/** Of how many believed answers one is witnessed again, per origin and kind of answer. */
export const defaultSampleEvery = 500;

/** What trust is made with. */
export interface TrustOptions {
  /**
   * Works out other numberings than ours: `calibration()` of `@bytenite-engines/core/trust`. Without it, only our own
   * numbers are confirmed, and servers with other ones are read in JSON.
   */
  readonly calibration?: { readonly numbersOf: (origin: string) => Numbers } | undefined;
  /** Of how many believed answers one is witnessed again. Default 500; 1: all; Infinity: none. */
  readonly sampleEvery?: number | undefined;
  /** Answers that count as believed at the start, so that short-lived processes take part in sampling. Default 0. */
  readonly believedAtStart?: number | undefined;
}

interface Origin {
  readonly numbers: Numbers;
  readonly kinds: Map<string, Kind>;
  /** Of how many believed answers one is a sample, for kinds of which there was none yet. */
  every: number;
  /** Samples that are then taken at that rate. */
  close: number;
}

/** Where one kind of answer of an origin is kept account of. */
interface Account {
  readonly name: string;
  readonly schema: DescMessage;
  readonly numbers: Numbers;
  readonly kind: Kind;
}

/** Makes the memory of one client. */
export const makeTrust = (options: TrustOptions = {}): Trust => new WireTrust(options);

class WireTrust implements Trust {
  readonly #origins = new Map<string, Origin>();
  readonly #numbersOf: (origin: string) => Numbers;
  readonly #sampleEvery: number;
  readonly #believedAtStart: number;
  /** Most calls are like the one before; to look it up took a third of what trust takes. */
  #last: Account | undefined;

  constructor({ calibration, sampleEvery = defaultSampleEvery, believedAtStart = 0 }: TrustOptions) {
    if (!(sampleEvery >= 1)) throw new RangeError(`sampleEvery must be a number from 1, not ${sampleEvery}`);
    this.#numbersOf = calibration?.numbersOf ?? ownNumbers;
    this.#sampleEvery = sampleEvery;
    this.#believedAtStart = believedAtStart;
  }

  ready(origin: string): Promise<void> | undefined {
    return this.#origin(origin).numbers.ready?.();
  }

  decide<D extends DescMessage>(origin: string, schema: D, answer: ProtobufAnswer): Verdict<D> {
    const { numbers, kind } = this.#kind(origin, schema);
    let message: MessageShape<D> | undefined;
    let isDoubtful = kind.doubted;
    if (claims(numbers, schema, answer)) {
      const from = new MessageBytes(answer.bytes, answer.limits);
      try {
        message = readOwn(schema, from, answer.limits);
      } catch (cause) {
        if (cause instanceof LimitExceeded) throw cause;
        kind.unreadable += 1;
        // One body may be cut short. A second one in a row is either spoiled for good, or no message of ours: JSON can tell.
        return kind.unreadable === 1
          ? { kind: "undecodable", cause }
          : { kind: "witness", reason: "undecodable", cause };
      }
      kind.unreadable = 0;
      isDoubtful ||= from.hasUnknown || from.hasOddFlag || numbers.contradicts(schema);
    } else {
      // Only a digest that can be believed says that no bytes are the whole message.
      const isNothing = answer.bytes.length === 0 && answer.digest !== null;
      message = isNothing ? undefined : numbers.read(schema, answer.bytes, answer.limits);
      if (message === undefined) return { kind: "witness", reason: "unconfirmed" };
    }
    if (isDoubtful) return { kind: "witness", reason: "doubted" };
    if (!isSample(kind, this.#sampleEvery)) return { kind: "believed", message };
    return { kind: "witness", reason: "sample", message };
  }

  witness<D extends DescMessage>(origin: string, schema: D, testimony: Testimony<D>): Finding {
    const { numbers, kind } = this.#kind(origin, schema);
    const { bytes, json } = testimony;
    const isClaim = claims(numbers, schema, testimony);
    const news = isClaim ? this.#tried(numbers, schema, testimony) : numbers.learn(schema, bytes, json);
    kind.believed = 0;
    kind.doubted = news === undefined;
    kind.toldAlone = false;
    if (!claims(numbers, schema, testimony)) noteForm(kind, readable(numbers, schema, bytes));
    if (news?.some(({ type }) => type === "drift")) this.#drifted(origin);
    return { fits: news !== undefined, news: news ?? [] };
  }

  blame<D extends DescMessage>(origin: string, schema: D, testimony: Testimony<D>): ReadonlyArray<TrustNews> {
    const { numbers, kind } = this.#kind(origin, schema);
    const { bytes, json } = testimony;
    const isClaim = claims(numbers, schema, testimony);
    if (isClaim) numbers.distrustDigest();
    // What was learned without the header may be right all the same.
    let learned = isClaim ? numbers.learn(schema, bytes, json) : undefined;
    const wasCertain = (learned === undefined && numbers.forget(schema)) || isClaim;
    learned ??= numbers.learn(schema, bytes, json);
    kind.doubted = learned === undefined;
    noteForm(kind, readable(numbers, schema, bytes));
    if (wasCertain) this.#drifted(origin);
    return [...(wasCertain ? [drift(schema, isClaim ? lie : drifted)] : []), ...(learned ?? [])];
  }

  alone(origin: string, schema: DescMessage): ReadonlyArray<TrustNews> {
    const { kind } = this.#kind(origin, schema);
    if (kind.toldAlone) return [];
    kind.toldAlone = true;
    return [{ type: "trust", message: schema.typeName, detail: withoutJson, numbers: {} }];
  }

  asks(origin: string, schema: DescMessage): Format {
    return this.#kind(origin, schema).kind.jsonAnswers === undefined ? "protobuf" : "json";
  }

  teaches<D extends DescMessage>(origin: string, schema: D, json: MessageShape<D>): boolean {
    const { numbers, kind } = this.#kind(origin, schema);
    return isTaught(kind, kind.doubted ? "open" : numbers.prospect(schema, json), this.#sampleEvery);
  }

  /** What the JSON says about a claim; undefined where they do not fit. */
  #tried<D extends DescMessage>(
    numbers: Numbers,
    schema: D,
    { bytes, json }: Testimony<D>,
  ): ReadonlyArray<TrustNews> | undefined {
    const reading = isOurs(schema, bytes, json);
    if (reading === "ours") {
      // The numbers that are known are of before.
      return numbers.contradicts(schema) && numbers.forget(schema) ? [drift(schema, nowOurs)] : [];
    }
    if (reading === "other" && !numbers.contradicts(schema)) return undefined;
    // The bytes contradict the claim, or what is known does: it is a lie if they fit without it.
    const learned = numbers.learn(schema, bytes, json);
    if (learned === undefined) return undefined;
    numbers.distrustDigest();
    return [drift(schema, lie), ...learned];
  }

  /**
   * A server that has changed may be changing still: what is believed is sampled at once, and then more and more rarely. If it
   * drifts again before that has ended, twice as many are sampled first: half of its replicas may be of before.
   */
  #drifted(name: string): void {
    if (this.#sampleEvery === Infinity) return;
    const origin = this.#origin(name);
    const isQuiet = [...origin.kinds.values()].every(({ every }) => every >= this.#sampleEvery);
    origin.close = isQuiet ? 0 : Math.min(2 * origin.close + 1, this.#sampleEvery);
    origin.every = 1;
    for (const kind of origin.kinds.values()) Object.assign(kind, { every: 1, close: origin.close });
  }

  #kind(name: string, schema: DescMessage): Account {
    const last = this.#last;
    if (last?.schema === schema && last.name === name) return last;
    const { numbers, kinds, every, close } = this.#origin(name);
    let kind = kinds.get(schema.typeName);
    if (kind === undefined) {
      const believed = numbers.isOld(schema) ? Math.min(every, Number.MAX_SAFE_INTEGER) : this.#believedAtStart;
      kind = newKind(believed, every, close);
      kinds.set(schema.typeName, kind);
    }
    this.#last = { name, schema, numbers, kind };
    return this.#last;
  }

  #origin(name: string): Origin {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      origin = { numbers: this.#numbersOf(name), kinds: new Map(), every: this.#sampleEvery, close: 0 };
      this.#origins.set(name, origin);
    }
    return origin;
  }
}

const readable = (numbers: Numbers, schema: DescMessage, bytes: Uint8Array): object | undefined => {
  try {
    return numbers.read(schema, bytes);
  } catch {
    return undefined;
  }
};
