// Decides: what one origin is known for: its evidence, what can be read by it, and when a pair of answers is accepted into it.
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { admits } from "./Admission.ts";
import type { AnswerReader, Method } from "./AnswerReader.ts";
import { evidenceOf, messagesOf, noEvidence, type Evidence } from "./Evidence.ts";
import type { Carried } from "./Numbering.ts";
import { addPair, type Fit } from "./Pair.ts";
import type { TrustNews } from "./Verdict.ts";

/** A pair that left numbers without a field. */
interface Pending {
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** What is remembered of one kind of answer. */
export interface Kind {
  /** Answers believed since one was witnessed. */
  believed: number;
  /** A pair did not fit, and none has fitted since. */
  doubted: boolean;
  /** Its digest header was caught lying and is not read any more. */
  lies: boolean;
  /** Answers asked for in JSON since protobuf could not be believed; undefined: protobuf is asked for. */
  jsonAnswers: number | undefined;
  pending: Pending | undefined;
}

export class OriginTrust {
  evidence: Evidence = noEvidence;
  readonly #kinds = new Map<string, Kind>();
  readonly #readers = new Map<string, AnswerReader>();
  readonly #method: Method;
  readonly #believedAtStart: number;

  constructor(method: Method, believedAtStart: number) {
    this.#method = method;
    this.#believedAtStart = believedAtStart;
  }

  kind(schema: DescMessage): Kind {
    let kind = this.#kinds.get(schema.typeName);
    if (kind === undefined) {
      const believed = this.#believedAtStart;
      kind = { believed, doubted: false, lies: false, jsonAnswers: undefined, pending: undefined };
      this.#kinds.set(schema.typeName, kind);
    }
    return kind;
  }

  /** The message, if every number that it carries is certain. */
  read<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined {
    let reader = this.#readers.get(schema.typeName);
    if (reader === undefined) {
      reader = this.#method.readerOf(schema, (message) =>
        this.#method.solve(message, evidenceOf(this.evidence, message)),
      );
      this.#readers.set(schema.typeName, reader);
    }
    if (!admits(reader.layout, bytes)) return undefined;
    try {
      return reader.decode(bytes) as MessageShape<D>;
    } catch {
      return undefined;
    }
  }

  restore(evidence: Evidence): void {
    this.evidence = evidence;
    this.#readers.clear();
    for (const kind of this.#kinds.values()) kind.jsonAnswers = undefined;
  }

  /** Replaces the evidence, and tells what became certain of answers of this kind. */
  learn(evidence: Evidence, schema: DescMessage): ReadonlyArray<TrustNews> {
    const before = this.evidence;
    this.evidence = evidence;
    this.#readers.clear();
    return messagesOf(schema).flatMap((message) => {
      const certain = this.#confirmed(message, before);
      const found = [...this.#confirmed(message, evidence).values()].filter(({ number }) => !certain.has(number));
      return found.length === 0 ? [] : [confirmation(message, found)];
    });
  }

  /** Forgets all that answers of this kind consist of. Whether anything of it was certain. */
  forget(schema: DescMessage): boolean {
    const messages = messagesOf(schema);
    const wasCertain = messages.some((message) => this.#confirmed(message, this.evidence).size > 0);
    const dropped = new Set(messages.map(({ typeName }) => typeName));
    this.learn(new Map([...this.evidence].filter(([typeName]) => !dropped.has(typeName))), schema);
    return wasCertain;
  }

  /**
   * Takes a pair that fits into the evidence. One that leaves a populated number without a field for the first time may be
   * one of a server with fields of its own, or one whose halves differ after all: it waits for a second one that shows the
   * same and has other data, or, where the messages say when they were changed, for any second one.
   */
  accept(schema: DescMessage, bytes: Uint8Array, message: Message, fit: Fit): ReadonlyArray<TrustNews> {
    const kind = this.kind(schema);
    const { pending } = kind;
    kind.pending = undefined;
    if (fit.foreign.length === 0) return this.learn(fit.evidence, schema);
    if (pending !== undefined) {
      const isAnother = textOf(message) !== textOf(pending.message) && !sameBytes(bytes, pending.bytes);
      const first = this.fit(this.evidence, schema, pending.bytes, pending.message);
      const both = first.kind === "fit" ? this.fit(first.evidence, schema, bytes, message) : first;
      if (both.kind === "fit" && both.foreign.length === 0 && (isAnother || fit.dated))
        return this.learn(both.evidence, schema);
    }
    kind.pending = { bytes, message };
    return [];
  }

  fit(evidence: Evidence, schema: DescMessage, bytes: Uint8Array, message: Message): ReturnType<typeof addPair> {
    return addPair(evidence, this.#method.solve, schema, bytes, message);
  }

  #confirmed(message: DescMessage, evidence: Evidence): ReadonlyMap<number, Carried> {
    return this.#method.solve(message, evidenceOf(evidence, message))?.confirmed ?? new Map();
  }
}

const confirmation = (message: DescMessage, found: ReadonlyArray<Carried>): TrustNews => ({
  type: "trust",
  message: message.typeName,
  detail: `confirmed ${found.map(({ field, number }) => `${field.name} = ${number}${number === field.number ? "" : ` (ours: ${field.number})`}`).join(", ")}`,
  numbers: Object.fromEntries(found.map(({ field, number }) => [field.name, number])),
});

/** All that a message holds, to tell two of them apart. */
const textOf = (message: Message): string =>
  JSON.stringify(message, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);
