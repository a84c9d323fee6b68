// Decides: what one origin is known for: its evidence, what can be read by it, and when a pair of answers is accepted into it.
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { answerReader, type AnswerReader } from "./AnswerReader.ts";
import { confirmation, confirmed, contradictsOurs, isReadAlike } from "./Certainty.ts";
import { evidenceOf, messagesOf, noEvidence, type Evidence } from "./Evidence.ts";
import type { Known } from "./Evidence.ts";
import type { Numbering } from "./Numbering.ts";
import type { Numbers } from "./Numbers.ts";
import { addPair, type Fit } from "./Pair.ts";
import { prospectOf } from "./Prospect.ts";
import { sameBytes, sameMessage } from "./Sameness.ts";
import { solve } from "./Solution.ts";
import type { TrustNews } from "./Verdict.ts";
import type { ReadLimits } from "../ReadLimits.ts";
import { Whereabouts } from "./Whereabouts.ts";
import { InFlight } from "../Sharing.ts";
import { liveClock } from "../Timer.ts";

/** What was not held against JSON for longer than that is sampled at once, in milliseconds: a day. */
const oldMs = 86_400_000;

/** A pair that left numbers without a field. */
interface Pending {
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** The account of an origin whose numbers may be any. */
export class CalibratedNumbers implements Numbers {
  /** Loads what is known from earlier; undefined once that is done. */
  #load: (() => Promise<Known>) | undefined;
  readonly #loading = new InFlight<Known>();
  #evidence: Evidence = noEvidence;
  readonly #comparedMs = new Map<string, number>();
  #distrustsDigest = false;
  readonly #contradictions = new Map<string, boolean>();
  readonly #readers = new Map<string, AnswerReader>();
  readonly #whereabouts = new Whereabouts();
  readonly #pending = new Map<string, Pending>();
  readonly #onChange: () => void;
  readonly #now: () => number;
  /** Messages that were held against their JSON here. */
  readonly #seen = new Set<string>();
  readonly #isHearsay: boolean;

  /** What is given, and comes before what is loaded, may never have been right: it has to be shown here, too. */
  constructor(
    given: Known | undefined,
    load: (() => Promise<Known>) | undefined,
    now: () => number,
    onChange: () => void,
  ) {
    this.#now = now;
    this.#isHearsay = given !== undefined;
    this.#onChange = onChange;
    if (given !== undefined) this.#takeOver(given);
    this.#load = load;
  }

  ready(): Promise<void> | undefined {
    return this.#load === undefined || this.#isHearsay ? undefined : this.loaded();
  }

  /** Resolves when it is known what there is from earlier. */
  async loaded(): Promise<void> {
    const load = this.#load;
    if (load === undefined) return;
    const { outcome } = await this.#loading.share("", liveClock, new AbortController().signal, load);
    if (this.#load === undefined) return;
    this.#load = undefined;
    if ("value" in outcome && !this.#isHearsay) this.#takeOver(outcome.value);
  }

  #takeOver({ evidence, comparedMs, digestLies }: Known): void {
    this.#distrustsDigest ||= digestLies;
    // What was learned meanwhile is fresher.
    if (this.#evidence !== noEvidence) return;
    this.#evidence = evidence;
    for (const [typeName, ms] of comparedMs) this.#comparedMs.set(typeName, ms);
    this.#forgetConclusions();
  }

  #forgetConclusions(): void {
    this.#readers.clear();
    this.#contradictions.clear();
  }

  get known(): Known {
    return { evidence: this.#evidence, comparedMs: this.#comparedMs, digestLies: this.#distrustsDigest };
  }

  get distrustsDigest(): boolean {
    return this.#distrustsDigest;
  }

  distrustDigest(): void {
    this.#distrustsDigest = true;
    this.#onChange();
  }

  isOld({ typeName }: DescMessage): boolean {
    const ms = this.#comparedMs.get(typeName);
    if (ms === undefined) return false;
    return (this.#isHearsay && !this.#seen.has(typeName)) || Math.abs(this.#now() - ms) > oldMs;
  }

  contradicts(schema: DescMessage): boolean {
    let contradicts = this.#contradictions.get(schema.typeName);
    if (contradicts === undefined) {
      contradicts = messagesOf(schema).some((message) => contradictsOurs(this.#evidence, message));
      this.#contradictions.set(schema.typeName, contradicts);
    }
    return contradicts;
  }

  read<D extends DescMessage>(schema: D, bytes: Uint8Array, limits?: ReadLimits): MessageShape<D> | undefined {
    const { visit, isUnfamiliar } = this.#whereabouts.look();
    const message = this.#reader(schema)(bytes, visit, limits);
    return message === undefined || isUnfamiliar() ? undefined : (message as MessageShape<D>);
  }

  /**
   * A pair that leaves a populated number without a field for the first time may be one of a server with fields of its own, or
   * one whose halves differ after all: it waits for a second one that shows the same and has other data, or, where the
   * messages say when they were changed, for any second one. Where they do not, and it may as well be the number of a field that
   * the JSON has not shown yet (of a replica that is behind, perhaps), it waits for one that shows that field.
   */
  learn<D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    json: MessageShape<D>,
  ): ReadonlyArray<TrustNews> | undefined {
    const fit = addPair(this.#evidence, solve, schema, bytes, json);
    if (fit === undefined) return undefined;
    const news = this.#accept(schema, bytes, json, fit);
    this.#note(schema, bytes);
    return news;
  }

  #note(schema: DescMessage, bytes: Uint8Array): void {
    try {
      this.#reader(schema)(bytes, this.#whereabouts.note);
    } catch {
      // Too large to be looked at.
    }
  }

  #accept(schema: DescMessage, bytes: Uint8Array, json: Message, fit: Fit): ReadonlyArray<TrustNews> {
    const pending = this.#pending.get(schema.typeName);
    this.#pending.delete(schema.typeName);
    if (fit.foreign.length === 0) return this.#take(schema, fit.evidence);
    const both = pending && this.#both(schema, pending, bytes, json);
    if (pending !== undefined && both?.foreign.length === 0 && !fit.blind) {
      const isAnother = !sameBytes(bytes, pending.bytes) && !sameMessage(schema, json, pending.message);
      if (isAnother || fit.dated) return this.#take(schema, both.evidence);
    }
    this.#pending.set(schema.typeName, { bytes, message: json });
    return [];
  }

  forget(schema: DescMessage): boolean {
    const before = this.#evidence;
    const messages = messagesOf(schema);
    const dropped = new Set(messages.map(({ typeName }) => typeName));
    this.#pending.clear();
    this.#whereabouts.forget();
    this.#take(schema, new Map([...before].filter(([typeName]) => !dropped.has(typeName))));
    return messages.some((message) => confirmed(before, message).size > 0);
  }

  prospect<D extends DescMessage>(schema: D, json: MessageShape<D>): ReturnType<typeof prospectOf> {
    const prospect = prospectOf(this.#evidence, schema, json);
    return prospect === "complete" && this.#pending.has(schema.typeName) ? "open" : prospect;
  }

  #both(schema: DescMessage, pending: Pending, bytes: Uint8Array, json: Message): Fit | undefined {
    const first = addPair(this.#evidence, solve, schema, pending.bytes, pending.message);
    return first && addPair(first.evidence, solve, schema, bytes, json);
  }

  #reader(schema: DescMessage): AnswerReader {
    let reader = this.#readers.get(schema.typeName);
    if (reader === undefined) {
      reader = answerReader(schema, (message) => this.#numbering(message));
      this.#readers.set(schema.typeName, reader);
    }
    return reader;
  }

  #numbering(message: DescMessage): Numbering | undefined {
    return solve(message, evidenceOf(this.#evidence, message));
  }

  #take(schema: DescMessage, evidence: Evidence): ReadonlyArray<TrustNews> {
    const before = this.#evidence;
    this.#evidence = evidence;
    // A sample that shows nothing new leaves the readers alone: a new one is slow until the engine has compiled it.
    if (messagesOf(schema).some((message) => !isReadAlike(before, evidence, message))) this.#forgetConclusions();
    for (const { typeName } of messagesOf(schema)) {
      const now = evidence.get(typeName);
      if (now === undefined) this.#comparedMs.delete(typeName);
      else if (now !== before.get(typeName)) {
        this.#comparedMs.set(typeName, this.#now());
        this.#seen.add(typeName);
      }
    }
    this.#onChange();
    return messagesOf(schema).flatMap((message) => {
      const certain = confirmed(before, message);
      const found = [...confirmed(evidence, message).values()].filter(({ number }) => !certain.has(number));
      return found.length === 0 ? [] : [confirmation(message, found)];
    });
  }
}
