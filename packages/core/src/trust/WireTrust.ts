// Decides: whether protobuf bytes of an origin may be believed, and what the JSON of the same resource teaches about them.
import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { schemaDigests } from "../gen/schemaDigests.ts";
import type { Format } from "../MediaType.ts";
import { ownNumbersOnly, type Method } from "./AnswerReader.ts";
import { claimed, type Evidence } from "./Evidence.ts";
import { prospectOf } from "./Prospect.ts";
import { OriginTrust, sameBytes, type Kind } from "./OriginTrust.ts";
import type { Finding, ProtobufAnswer, Testimony, Trust, TrustNews, Verdict } from "./Verdict.ts";

/** Of how many believed answers one is witnessed again, per origin and kind of answer. */
export const defaultSampleEvery = 500;

/** What trust is made with. */
export interface TrustOptions {
  /** Works out other numberings than ours: `calibration` of `@bytenite-engines/core/trust`. Without it, JSON is used there. */
  readonly calibration?: Method | undefined;
  /** Of how many believed answers one is witnessed again. Default 500; 1: all; Infinity: none. */
  readonly sampleEvery?: number | undefined;
  /** Answers that count as believed at the start, so that short-lived processes take part in sampling. Default 0. */
  readonly believedAtStart?: number | undefined;
}

/** Makes the memory of one client. */
export const makeTrust = (options: TrustOptions = {}): Trust => new WireTrust(options);

class WireTrust implements Trust {
  readonly #origins = new Map<string, OriginTrust>();
  readonly #method: Method;
  readonly #sampleEvery: number;
  readonly #believedAtStart: number;

  constructor({ calibration = ownNumbersOnly, sampleEvery = defaultSampleEvery, believedAtStart = 0 }: TrustOptions) {
    if (!(sampleEvery >= 1)) throw new RangeError(`sampleEvery must be a number from 1, not ${sampleEvery}`);
    this.#method = calibration;
    this.#sampleEvery = sampleEvery;
    this.#believedAtStart = believedAtStart;
  }

  decide<D extends DescMessage>(origin: string, schema: D, answer: ProtobufAnswer): Verdict<D> {
    const trust = this.#of(origin);
    const kind = trust.kind(schema);
    let message: MessageShape<D> | undefined;
    if (claims(kind, schema, answer)) {
      try {
        message = fromBinary(schema, answer.bytes);
      } catch (cause) {
        return { kind: "undecodable", cause };
      }
    } else {
      message = trust.read(schema, answer.bytes);
      if (message === undefined) return { kind: "witness", reason: "unconfirmed" };
    }
    if (kind.doubted) return { kind: "witness", reason: "doubted" };
    kind.believed += 1;
    if (kind.believed < this.#sampleEvery) return { kind: "believed", message };
    kind.believed = 0;
    return { kind: "witness", reason: "sample", message };
  }

  witness<D extends DescMessage>(origin: string, schema: D, testimony: Testimony<D>): Finding {
    const trust = this.#of(origin);
    const kind = trust.kind(schema);
    const { bytes, json, earlier } = testimony;
    const isClaim = claims(kind, schema, testimony);
    const fit = trust.fit(isClaim ? claimed(schema) : trust.evidence, schema, bytes, json);
    kind.believed = 0;
    kind.doubted = fit.kind === "misfit";
    if (fit.kind === "fit") {
      const news = isClaim ? [] : trust.accept(schema, bytes, json, fit);
      if (!isClaim) noteForm(kind, trust.read(schema, bytes) !== undefined);
      return { kind: "agreed", news };
    }
    if (earlier === undefined) return { kind: "again", news: [] };
    if (!sameBytes(earlier, bytes)) {
      noteForm(kind, false);
      return { kind: "changed", news: [] };
    }
    return this.#disagreed(trust, schema, testimony, isClaim);
  }

  /** The JSON was read between two readings of the same bytes: nothing changed, so what was believed is wrong. */
  #disagreed<D extends DescMessage>(
    trust: OriginTrust,
    schema: D,
    { bytes, json }: Testimony<D>,
    isClaim: boolean,
  ): Finding {
    const kind = trust.kind(schema);
    const news: Array<TrustNews> = [];
    const wasCertain = trust.forget(schema);
    if (isClaim || wasCertain) {
      const detail = isClaim
        ? "the origin sends our schema digest, but its field numbers are not ours; the header is not believed any more"
        : "the protobuf does not fit the JSON of the same resource any more; the field numbers are worked out anew";
      news.push({ type: "drift", message: schema.typeName, detail, numbers: {} });
    }
    kind.lies ||= isClaim;
    kind.pending = undefined;
    const fit = trust.fit(trust.evidence, schema, bytes, json);
    kind.doubted = fit.kind === "misfit";
    if (fit.kind === "fit") news.push(...trust.accept(schema, bytes, json, fit));
    noteForm(kind, trust.read(schema, bytes) !== undefined);
    return { kind: "disagreed", news };
  }

  asks(origin: string, schema: DescMessage): Format {
    return this.#of(origin).kind(schema).jsonAnswers === undefined ? "protobuf" : "json";
  }

  teaches<D extends DescMessage>(origin: string, schema: D, json: MessageShape<D>): boolean {
    const trust = this.#of(origin);
    const kind = trust.kind(schema);
    const prospect = prospectOf(this.#method, trust.evidence, schema, json);
    if (prospect === "complete" && !kind.doubted && kind.pending === undefined) {
      kind.jsonAnswers = undefined;
      return false;
    }
    const answers = (kind.jsonAnswers ?? 0) + 1;
    kind.jsonAnswers = answers;
    // What cannot be foreseen (a number without a field, halves that did not fit) is tried more and more rarely.
    return (
      (prospect === "teaches" && !kind.doubted) || (answers & (answers - 1)) === 0 || answers % this.#sampleEvery === 0
    );
  }

  evidence(origin: string): Evidence {
    return this.#of(origin).evidence;
  }

  restore(origin: string, evidence: Evidence): void {
    this.#of(origin).restore(evidence);
  }

  #of(name: string): OriginTrust {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      origin = new OriginTrust(this.#method, this.#believedAtStart);
      this.#origins.set(name, origin);
    }
    return origin;
  }
}

const claims = (kind: Kind, schema: DescMessage, { digest }: ProtobufAnswer): boolean =>
  !kind.lies && digest !== null && digest === schemaDigests[schema.typeName];

const noteForm = (kind: Kind, isReadable: boolean): void => {
  kind.jsonAnswers = isReadable ? undefined : (kind.jsonAnswers ?? 0);
};
