// Decides: what one origin is known for: its evidence, what can be read by it, and when a pair of answers is accepted into it.
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { answerReader, type AnswerReader } from "./AnswerReader.ts";
import { evidenceOf, messagesOf, noEvidence, type Evidence } from "./Evidence.ts";
import type { Carried, Numbering } from "./Numbering.ts";
import type { Numbers } from "./Numbers.ts";
import { addPair, type Fit } from "./Pair.ts";
import { prospectOf } from "./Prospect.ts";
import { sameBytes, sameMessage } from "./Sameness.ts";
import { solve } from "./Solution.ts";
import type { TrustNews } from "./Verdict.ts";
import { Whereabouts } from "./Whereabouts.ts";

/** A pair that left numbers without a field. */
interface Pending {
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** The account of an origin whose numbers may be any. */
export class CalibratedNumbers implements Numbers {
  readonly ready: Promise<void> | undefined;
  #evidence: Evidence = noEvidence;
  readonly #readers = new Map<string, AnswerReader>();
  readonly #whereabouts = new Whereabouts();
  readonly #pending = new Map<string, Pending>();
  readonly #onChange: () => void;

  constructor(earlier: Evidence | Promise<Evidence>, onChange: () => void) {
    this.#onChange = onChange;
    if (earlier instanceof Promise) this.ready = this.#load(earlier);
    else this.#evidence = earlier;
  }

  async #load(earlier: Promise<Evidence>): Promise<void> {
    const evidence = await earlier;
    // What was learned meanwhile is fresher.
    if (this.#evidence === noEvidence) this.#evidence = evidence;
    this.#readers.clear();
  }

  get evidence(): Evidence {
    return this.#evidence;
  }

  read<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined {
    const { visit, isUnfamiliar } = this.#whereabouts.look();
    const message = this.#reader(schema)(bytes, visit);
    return message === undefined || isUnfamiliar() ? undefined : (message as MessageShape<D>);
  }

  /**
   * A pair that leaves a populated number without a field for the first time may be one of a server with fields of its own, or
   * one whose halves differ after all: it waits for a second one that shows the same and has other data, or, where the
   * messages say when they were changed, for any second one.
   */
  learn<D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    json: MessageShape<D>,
  ): ReadonlyArray<TrustNews> | undefined {
    const fit = addPair(this.#evidence, solve, schema, bytes, json);
    if (fit === undefined) return undefined;
    const news = this.#accept(schema, bytes, json, fit);
    this.#reader(schema)(bytes, this.#whereabouts.note);
    return news;
  }

  #accept(schema: DescMessage, bytes: Uint8Array, json: Message, fit: Fit): ReadonlyArray<TrustNews> {
    const pending = this.#pending.get(schema.typeName);
    this.#pending.delete(schema.typeName);
    if (fit.foreign.length === 0) return this.#take(schema, fit.evidence);
    const both = pending && this.#both(schema, pending, bytes, json);
    if (pending !== undefined && both?.foreign.length === 0) {
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
    if (messagesOf(schema).some((message) => !isReadAlike(before, evidence, message))) this.#readers.clear();
    this.#onChange();
    return messagesOf(schema).flatMap((message) => {
      const certain = confirmed(before, message);
      const found = [...confirmed(evidence, message).values()].filter(({ number }) => !certain.has(number));
      return found.length === 0 ? [] : [confirmation(message, found)];
    });
  }
}

/** Whether a message is read in the same way by two states of what is known. */
const isReadAlike = (one: Evidence, other: Evidence, message: DescMessage): boolean => {
  const foreign = (evidence: Evidence): string =>
    [...(solve(message, evidenceOf(evidence, message))?.foreign ?? [])].join();
  const known = confirmed(one, message);
  const found = confirmed(other, message);
  return (
    foreign(one) === foreign(other) &&
    known.size === found.size &&
    [...found].every(([number, { field, encoding }]) => {
      const before = known.get(number);
      return before?.field === field && before.encoding === encoding;
    })
  );
};

const confirmed = (evidence: Evidence, message: DescMessage): ReadonlyMap<number, Carried> =>
  solve(message, evidenceOf(evidence, message))?.confirmed ?? new Map();

const confirmation = (message: DescMessage, found: ReadonlyArray<Carried>): TrustNews => ({
  type: "trust",
  message: message.typeName,
  detail: `confirmed ${found.map(({ field, number }) => `${field.name} = ${number}${number === field.number ? "" : ` (ours: ${field.number})`}`).join(", ")}`,
  numbers: Object.fromEntries(found.map(({ field, number }) => [field.name, number])),
});
