// Decides: whether the upstream's protobuf may be said in JSON: by its digest, or by numbers that its own JSON has confirmed;
// and again and again, whether the two still say the same.
import { equals, type DescMessage, type Message } from "@bufbuild/protobuf";
import { calibration, makeTrust, type Calibration, type ProfileStore, type Trust } from "@bytenite-engines/core/trust";
import { decodeJson, endpoints, schemaDigestHeader, schemaDigests, type ReadName } from "@bytenite-engines/core/wire";
import type { Entry } from "./Entry.ts";

/** Of how many readings one is not done, so that the other form is asked for and compared. */
export const readingsPerSample = 32;
/** Halves that were fetched within this time are held to be of one state of the object, in milliseconds. */
const pairMs = 5_000;

const digestField = schemaDigestHeader.toLowerCase();

/** What a pair of forms showed. `broken`: nothing that was made of such protobuf before is to be used any more. */
export type Comparison = "fits" | "differs" | "broken";

export class UpstreamTrust {
  readonly #origin: string;
  readonly #calibration: Calibration;
  /** Of answers that name our schema: the first of a kind is compared before any is believed. Needs no store. */
  readonly #claimed: Trust = makeTrust({
    sampleEvery: readingsPerSample,
    believedAtStart: readingsPerSample - 1,
  });
  readonly #earned: Trust;
  /** Kinds of answer whose last pair did not fit. */
  readonly #doubted = new Set<ReadName>();
  /** Kinds of answer without our digest of which an object has changed, and no two forms have been compared since. */
  readonly #unsettled = new Set<ReadName>();
  #isOpen = false;

  constructor(upstreamUrl: string, store: ProfileStore | undefined) {
    this.#origin = new URL(upstreamUrl).origin;
    this.#calibration = calibration({ store, onStoreError: tellStoreError });
    this.#earned = makeTrust({ calibration: this.#calibration, sampleEvery: readingsPerSample });
  }

  /** The message in protobuf of the upstream. Undefined: it is not certain, or due to be compared. */
  read({ endpoint, bytes, client }: Entry): Message | undefined {
    const schema: DescMessage = endpoints[endpoint].response;
    const digest = client[digestField] ?? null;
    const isClaim = isOurs(endpoint, client);
    // What was learned earlier is loaded by the first comparison, which no client waits for.
    if (!isClaim && (!this.#isOpen || this.#unsettled.has(endpoint))) return undefined;
    const verdict = this.#of(isClaim).decide(this.#origin, schema, { digest, bytes });
    return verdict.kind === "believed" ? verdict.message : undefined;
  }

  /**
   * Told of an object that was fetched anew. With other bytes it says something else, or the same in other numbers: without
   * a digest nobody knows which, so all protobuf of its kind waits until an answer in JSON has shown it.
   */
  renewed(before: Entry, after: Entry): void {
    if (before.format !== "protobuf" || after.format !== "protobuf" || isOurs(after.endpoint, after.client)) return;
    if (!sameBytes(before.bytes, after.bytes)) this.#unsettled.add(after.endpoint);
  }

  /** Holds the two forms of an object against each other, as they came. Done when what was learned is kept. */
  async compare(one: Entry, other: Entry): Promise<Comparison | undefined> {
    const { protobuf, json } = one.format === "json" ? { protobuf: other, json: one } : { protobuf: one, json: other };
    if (protobuf.format !== "protobuf" || json.format !== "json" || protobuf.status !== 200 || json.status !== 200) {
      return undefined;
    }
    const { endpoint, bytes } = protobuf;
    const schema: DescMessage = endpoints[endpoint].response;
    const digest = protobuf.client[digestField] ?? null;
    const isClaim = isOurs(endpoint, protobuf.client);
    const isPair = Math.abs(protobuf.fetchedAtMs - json.fetchedAtMs) <= pairMs;
    const message = jsonOf(schema, json.bytes);
    if (message === undefined) return undefined;
    const trust = this.#of(isClaim);
    // Numbers are learned from pairs only; a claim can be doubted by any two, and be believed again by the next. But where
    // the numbers that are known read just what the JSON says, it does not matter how far apart the two were fetched.
    if (!isClaim && !isPair) {
      const verdict = trust.decide(this.#origin, schema, { digest, bytes });
      if (verdict.kind !== "believed" || !equals(schema, verdict.message, message)) return undefined;
      this.#unsettled.delete(endpoint);
      return "fits";
    }
    if (!this.#isOpen) await this.#earned.ready(this.#origin);
    this.#isOpen = true;
    const testimony = { digest, bytes, json: message };
    const { fits } = trust.witness(this.#origin, schema, testimony);
    const wasDoubted = this.#doubted.has(endpoint);
    if (fits && !isClaim) this.#unsettled.delete(endpoint);
    if (fits) this.#doubted.delete(endpoint);
    else this.#doubted.add(endpoint);
    // Twice in a row, and now of one state: not the object has changed, the numbers have.
    const isBroken = !fits && wasDoubted && isPair;
    if (isBroken) {
      trust.blame(this.#origin, schema, testimony);
      this.#doubted.delete(endpoint);
    }
    await this.#calibration.flush();
    return fits ? "fits" : isBroken ? "broken" : "differs";
  }

  #of(isClaim: boolean): Trust {
    return isClaim ? this.#claimed : this.#earned;
  }
}

/** Calls go on without what was kept, so nobody else would notice. */
const tellStoreError = (error: unknown): void => {
  const message = "what is known of the upstream's field numbers could not be read or kept";
  console.warn(JSON.stringify({ level: "warn", message, error: String(error) }));
};

/** Whether an answer names our schema, so that its numbers are known. */
const isOurs = (endpoint: ReadName, client: Entry["client"]): boolean =>
  client[digestField] === schemaDigests[endpoints[endpoint].response.typeName];

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);

const utf8 = new TextDecoder("utf-8", { fatal: true });

const jsonOf = (schema: DescMessage, bytes: Uint8Array): Message | undefined => {
  try {
    return decodeJson(schema, JSON.parse(utf8.decode(bytes))).message;
  } catch {
    return undefined;
  }
};
