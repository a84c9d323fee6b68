// Decides: whether protobuf bytes of an origin may be believed, and what the JSON of the same resource says about them.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { schemaDigests } from "../gen/schemaDigests.ts";
import type { Format } from "../MediaType.ts";
import { readMessage } from "../MessageReader.ts";
import type { Numbers } from "./Numbers.ts";
import { ownNumbers } from "./OwnNumbers.ts";
import { sameMessage } from "./Sameness.ts";
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

/** What is remembered of one kind of answer of an origin. */
interface Kind {
  /** Answers believed since one was witnessed. */
  believed: number;
  /** A pair did not fit, and none has fitted since. */
  doubted: boolean;
  /** Its digest header was caught lying and is not read any more. */
  lies: boolean;
  /** Answers asked for in JSON since protobuf could not be believed; undefined: protobuf is asked for. */
  jsonAnswers: number | undefined;
  /** Witnessed answers in a row that could not be believed even then. */
  futile: number;
}

interface Origin {
  readonly numbers: Numbers;
  readonly kinds: Map<string, Kind>;
}

/** Makes the memory of one client. */
export const makeTrust = (options: TrustOptions = {}): Trust => new WireTrust(options);

class WireTrust implements Trust {
  readonly #origins = new Map<string, Origin>();
  readonly #numbersOf: (origin: string) => Numbers;
  readonly #sampleEvery: number;
  readonly #believedAtStart: number;

  constructor({ calibration, sampleEvery = defaultSampleEvery, believedAtStart = 0 }: TrustOptions) {
    if (!(sampleEvery >= 1)) throw new RangeError(`sampleEvery must be a number from 1, not ${sampleEvery}`);
    this.#numbersOf = calibration?.numbersOf ?? ownNumbers;
    this.#sampleEvery = sampleEvery;
    this.#believedAtStart = believedAtStart;
  }

  ready(origin: string): Promise<void> | undefined {
    return this.#origin(origin).numbers.ready;
  }

  decide<D extends DescMessage>(origin: string, schema: D, answer: ProtobufAnswer): Verdict<D> {
    const { numbers, kind } = this.#kind(origin, schema);
    let message: MessageShape<D> | undefined;
    if (claims(kind, schema, answer)) {
      try {
        message = readMessage(schema, answer.bytes);
      } catch (cause) {
        return { kind: "undecodable", cause };
      }
    } else {
      message = numbers.read(schema, answer.bytes);
      if (message === undefined) return { kind: "witness", reason: "unconfirmed" };
    }
    if (kind.doubted) return { kind: "witness", reason: "doubted" };
    kind.believed += 1;
    if (kind.believed < this.#sampleEvery) return { kind: "believed", message };
    kind.believed = 0;
    return { kind: "witness", reason: "sample", message };
  }

  witness<D extends DescMessage>(origin: string, schema: D, testimony: Testimony<D>): Finding {
    const { numbers, kind } = this.#kind(origin, schema);
    const { bytes, json } = testimony;
    const isClaim = claims(kind, schema, testimony);
    const news = isClaim ? (isOurs(schema, bytes, json) ? [] : undefined) : numbers.learn(schema, bytes, json);
    kind.believed = 0;
    kind.doubted = news === undefined;
    if (!isClaim) noteForm(kind, numbers.read(schema, bytes));
    return { fits: news !== undefined, news: news ?? [] };
  }

  blame<D extends DescMessage>(origin: string, schema: D, testimony: Testimony<D>): ReadonlyArray<TrustNews> {
    const { numbers, kind } = this.#kind(origin, schema);
    const { bytes, json } = testimony;
    const isClaim = claims(kind, schema, testimony);
    kind.lies ||= isClaim;
    const wasCertain = numbers.forget(schema) || isClaim;
    const learned = numbers.learn(schema, bytes, json);
    kind.doubted = learned === undefined;
    noteForm(kind, numbers.read(schema, bytes));
    const drift: TrustNews = { type: "drift", message: schema.typeName, detail: isClaim ? lie : drifted, numbers: {} };
    return [...(wasCertain ? [drift] : []), ...(learned ?? [])];
  }

  asks(origin: string, schema: DescMessage): Format {
    return this.#kind(origin, schema).kind.jsonAnswers === undefined ? "protobuf" : "json";
  }

  teaches<D extends DescMessage>(origin: string, schema: D, json: MessageShape<D>): boolean {
    const { numbers, kind } = this.#kind(origin, schema);
    const prospect = kind.doubted ? "open" : numbers.prospect(schema, json);
    const answers = (kind.jsonAnswers ?? 0) + 1;
    kind.jsonAnswers = answers;
    if (prospect === "complete") {
      // Something in the protobuf was in the way, which JSON does not show: it is tried again, more and more rarely.
      if (answers >= Math.min(2 ** (kind.futile - 1), this.#sampleEvery)) kind.jsonAnswers = undefined;
      return false;
    }
    // What cannot be foreseen (a number without a field, halves that did not fit) is tried more and more rarely.
    return prospect === "teaches" || (answers & (answers - 1)) === 0 || answers % this.#sampleEvery === 0;
  }

  #kind(name: string, schema: DescMessage): { readonly numbers: Numbers; readonly kind: Kind } {
    const { numbers, kinds } = this.#origin(name);
    let kind = kinds.get(schema.typeName);
    if (kind === undefined) {
      kind = { believed: this.#believedAtStart, doubted: false, lies: false, jsonAnswers: undefined, futile: 0 };
      kinds.set(schema.typeName, kind);
    }
    return { numbers, kind };
  }

  #origin(name: string): Origin {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      origin = { numbers: this.#numbersOf(name), kinds: new Map() };
      this.#origins.set(name, origin);
    }
    return origin;
  }
}

const lie =
  "the origin sends our schema digest, but its field numbers are not ours; the header is not believed any more";
const drifted =
  "the protobuf does not fit the JSON of the same resource any more; the field numbers are worked out anew";

const claims = (kind: Kind, schema: DescMessage, { digest }: ProtobufAnswer): boolean =>
  !kind.lies && digest === schemaDigests[schema.typeName];

const isOurs = <D extends DescMessage>(schema: D, bytes: Uint8Array, json: MessageShape<D>): boolean => {
  try {
    return sameMessage(schema, readMessage(schema, bytes), json);
  } catch {
    return false;
  }
};

const noteForm = (kind: Kind, readable: object | undefined): void => {
  kind.futile = readable === undefined ? kind.futile + 1 : 0;
  kind.jsonAnswers = readable === undefined ? (kind.jsonAnswers ?? 0) : undefined;
};
