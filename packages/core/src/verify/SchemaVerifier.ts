// Verification of protobuf by schema digest, JSON or profile.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { schemaDigests } from "../gen/schemaDigests.ts";
import type { Format } from "../MediaType.ts";
import { MessageBytes } from "../MessageBytes.ts";
import { hasReader, type BytesReader } from "../MessageReader.ts";
import { hasMethods } from "../OptionNames.ts";
import { LimitExceeded, type ReadLimits } from "../ReadLimits.ts";
import { UnreadableBody } from "../Reading.ts";
import { schemaDigest } from "../SchemaDigest.ts";
import { sameMessage } from "./Sameness.ts";
import { VerifiedFields, type VerificationNews } from "./VerifiedFields.ts";

/** Of how many protobuf responses without our schema digest one is compared with JSON again. */
export const defaultSampleEvery = 500;
/** Responses of an origin that pay for one more request to verify its protobuf. */
export const defaultResponsesPerExtraRequest = 128;
/** The most responses that one such request costs, once others have shown nothing new. */
export const maxResponsesPerExtraRequest = 16_384;
/** How long an origin that answered a request for protobuf in JSON is asked for JSON, in milliseconds. */
export const jsonOnlyMs = 5 * 60_000;

/** The field numbers of an origin from a profile: `fieldNumbers(profile)` of `@bytenite-engines/core/infer`. */
export interface FieldNumbers {
  /** For example `https://api.example`. */
  readonly origin: string;
  /** Whether a number is not ours: then a header that names our schema is not read. */
  readonly areOther: boolean;
  /**
   * The message in bytes, where the number of each field in them is known; else undefined. The schema has names and numbers of fields,
   * but not all that functions of protobuf-es need.
   */
  readonly read: <D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    limits?: ReadLimits,
  ) => MessageShape<D> | undefined;
}

/** `json`: its protobuf could not be verified. `compared`: its profile was compared with JSON. */
export type OriginStatus = "json" | "compared";

/** What earlier processes learned about origins. Both functions are synchronous and must not throw. */
export interface OriginMemory {
  readonly get: (origin: string) => OriginStatus | undefined;
  readonly set: (origin: string, status: OriginStatus | undefined) => void;
}

/** How protobuf of servers that do not name our schema is verified. */
export interface VerificationOptions {
  /** Field numbers of origins, for servers whose numbers are not ours. The first response is compared with JSON. */
  readonly fieldNumbers?: ReadonlyArray<FieldNumbers> | undefined;
  /** For processes that end soon: an origin that could not be verified is asked in JSON from the start. */
  readonly memory?: OriginMemory | undefined;
  /** Of how many such protobuf responses one is compared with JSON again. Default 500; Infinity: none. */
  readonly sampleEvery?: number | undefined;
  /**
   * Responses of an origin that pay for one more request to verify its protobuf. The first one is free. Default 128, so that 1,000
   * calls take at most 1,009 requests.
   */
  readonly responsesPerExtraRequest?: number | undefined;
}

/** The format of one request, and what it was given for it. */
export interface FormatChoice {
  readonly format: Format;
  /** Responses that pay for one more request. */
  reserved: number;
}

/** What a protobuf response is good for. */
export interface VerifiedMessage<D extends DescMessage> {
  /** Undefined: it cannot be verified, the resource must be read in JSON. */
  readonly message: MessageShape<D> | undefined;
  /** Whether JSON of the same resource should be compared with it. */
  readonly isSample: boolean;
}

/** Protobuf whose field numbers are not verified. */
export class UnverifiedProtobuf extends Error {
  readonly bytes: Uint8Array;
  constructor({ typeName }: DescMessage, bytes: Uint8Array) {
    super(`the field numbers of ${typeName} are not verified`);
    this.bytes = bytes;
  }
}

/** The verification of one client. Holds no clock; sends nothing. */
export class SchemaVerifier {
  readonly #options: VerificationOptions;
  readonly #origins = new Map<string, OriginVerifier>();
  readonly #digests = new WeakMap<DescMessage, Promise<string>>();

  /** Throws RangeError or TypeError for options that cannot be. */
  constructor(options: VerificationOptions = {}) {
    const { sampleEvery = defaultSampleEvery, responsesPerExtraRequest = defaultResponsesPerExtraRequest } = options;
    for (const [name, value] of Object.entries({ sampleEvery, responsesPerExtraRequest }))
      if (!(value >= 1)) throw new RangeError(`protobufVerification.${name} must be a number from 1, not ${value}`);
    const { fieldNumbers = [], memory } = options;
    if (!Array.isArray(fieldNumbers) || !fieldNumbers.every((numbers) => hasMethods(numbers, "read")))
      throw new TypeError("protobufVerification.fieldNumbers must be an array of what fieldNumbers(...) gives");
    if (memory !== undefined && !hasMethods(memory, "get", "set"))
      throw new TypeError("protobufVerification.memory must have the functions get and set");
    this.#options = options;
  }

  of(origin: string): OriginVerifier {
    let verifier = this.#origins.get(origin);
    if (verifier === undefined) {
      verifier = new OriginVerifier(origin, this.#options);
      this.#origins.set(origin, verifier);
    }
    return verifier;
  }

  /** Whether a header names the schema. */
  isNamed(schema: DescMessage, digest: string | null): boolean | Promise<boolean> {
    if (digest === null) return false;
    const known = schemaDigests[schema.typeName];
    if (known !== undefined) return known === digest;
    let own = this.#digests.get(schema);
    if (own === undefined) {
      own = schemaDigest(schema);
      this.#digests.set(schema, own);
    }
    return own.then((text) => text === digest);
  }
}

/**
 * What one client knows of one origin. A request in protobuf may take a second one in JSON. That is paid from a credit: full at the
 * start, one response adds 1, one request more takes all of it. An origin whose last response named our schema is asked for
 * protobuf without credit. So the requests of 1,000 calls have a bound that no value in a response can change.
 */
export class OriginVerifier {
  readonly #origin: string;
  readonly #memory: OriginMemory | undefined;
  readonly #sampleEvery: number;
  readonly #basePrice: number;
  readonly #verified = new VerifiedFields();
  #profile: FieldNumbers | undefined;
  #price: number;
  #credit: number;
  /** Whether the last response named our schema. */
  #isNamed = false;
  #digestLies = false;
  /** Responses in a row that named our schema and could not be decoded. */
  #undecodable = 0;
  #jsonUntilMs = 0;
  #untilSample: number;
  /** The request whose protobuf may have to be compared: its key, or undefined for one that nobody shares. */
  #probe: { readonly key: string | undefined } | undefined;

  constructor(origin: string, options: VerificationOptions) {
    this.#origin = origin;
    this.#memory = options.memory;
    this.#profile = options.fieldNumbers?.find((numbers) => numbers.origin === origin);
    this.#sampleEvery = options.sampleEvery ?? defaultSampleEvery;
    this.#basePrice = options.responsesPerExtraRequest ?? defaultResponsesPerExtraRequest;
    this.#price = this.#basePrice;
    const status = options.memory?.get(origin);
    if (status === "json") this.#profile = undefined;
    this.#digestLies = this.#profile?.areOther ?? false;
    this.#credit = status !== undefined && this.#profile === undefined ? 0 : this.#price;
    // What was compared by an earlier process is compared again anywhere among so many responses.
    this.#untilSample = status === "compared" ? Math.ceil(Math.random() * this.#sampleEvery) : 1;
    if (this.#profile === undefined) this.#untilSample = this.#sampleEvery;
  }

  /**
   * The format of the next request. `key`: the same for requests that share one exchange. To be ended with `end`.
   */
  choose(nowMs: number, key: string | undefined): FormatChoice {
    this.#credit = Math.min(this.#price, this.#credit + 1);
    if (nowMs < this.#jsonUntilMs) return { format: "json", reserved: 0 };
    if (this.#isNamed && this.#credit >= 0) return { format: "protobuf", reserved: 0 };
    if (this.#probe !== undefined)
      return { format: key !== undefined && key === this.#probe.key ? "protobuf" : "json", reserved: 0 };
    if (this.#credit < this.#price) return { format: "json", reserved: 0 };
    this.#credit -= this.#price;
    this.#probe = { key };
    return { format: "protobuf", reserved: this.#price };
  }

  /** Gives back what was reserved and not spent. */
  end(choice: FormatChoice): void {
    if (choice.reserved === 0) return;
    this.#credit = Math.min(this.#price, this.#credit + choice.reserved);
    choice.reserved = 0;
    this.#probe = undefined;
  }

  /** Notes JSON that was asked for. */
  sawJson(isNamed: boolean): void {
    if (isNamed && !this.#digestLies) this.#named();
  }

  /** Notes that the answer to a request for protobuf was JSON. True when that is new. */
  answersJson(nowMs: number): boolean {
    const isNew = nowMs >= this.#jsonUntilMs;
    this.#jsonUntilMs = nowMs + jsonOnlyMs;
    return isNew;
  }

  /** Pays for one more request in JSON: by what was reserved, else by a debt. `isSample`: to compare a verified response. */
  spend(choice: FormatChoice, isSample: boolean): void {
    if (choice.reserved === 0) this.#credit -= this.#price;
    else this.#probe = undefined;
    choice.reserved = 0;
    if (!this.#isNamed && !isSample) this.#remember("json");
  }

  /**
   * Reads protobuf. Throws UnreadableBody for bytes that are not of the schema that the server names, the first time; LimitExceeded
   * for bytes that unfold to too much.
   */
  read<D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    isNamed: boolean,
    limits: ReadLimits,
    onNews: OnNews,
    readBytes: BytesReader,
  ): VerifiedMessage<D> {
    this.#jsonUntilMs = 0;
    if (isNamed && !this.#digestLies)
      return { message: this.#readNamed(schema, bytes, limits, onNews, readBytes), isSample: false };
    this.#isNamed = false;
    const message = this.#readUnnamed(schema, bytes, limits);
    if (message === undefined) return { message, isSample: false };
    this.#price = this.#basePrice;
    this.#untilSample -= 1;
    const isSample = this.#untilSample <= 0;
    if (isSample) this.#untilSample = this.#sampleEvery;
    return { message, isSample };
  }

  /** Compares protobuf that no digest vouches for with JSON of the same resource. */
  compare<D extends DescMessage>(schema: D, bytes: Uint8Array, json: MessageShape<D>, onNews: OnNews): void {
    if (this.#profile === undefined) {
      const knew = !this.#verified.isEmpty;
      const news = this.#verified.learn(schema, bytes, json);
      if (news === undefined) {
        this.#verified.forget();
        if (knew) onNews(drift(schema, "the protobuf does not fit the JSON of the same resource any more"));
      } else news.forEach(onNews);
      this.#repriced(news !== undefined && news.length > 0);
      return;
    }
    const message = this.#profile.read(schema, bytes);
    if (message === undefined) return this.#repriced(false);
    if (sameMessage(schema, message, json)) return this.#remember("compared");
    this.#profile = undefined;
    this.#repriced(false);
    this.#remember("json");
    onNews(
      drift(
        schema,
        "the protobuf read by the profile does not fit the JSON of the same resource; the profile is not used any more",
      ),
    );
  }

  #readNamed<D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    limits: ReadLimits,
    onNews: OnNews,
    readBytes: BytesReader,
  ): MessageShape<D> | undefined {
    const from = new MessageBytes(bytes, limits);
    let message: MessageShape<D>;
    try {
      message = readBytes(schema, from, limits);
    } catch (cause) {
      if (cause instanceof LimitExceeded) throw cause;
      this.#undecodable += 1;
      // One body may be cut short. After a second one in a row JSON is asked for.
      if (this.#undecodable === 1)
        throw new UnreadableBody("the protobuf is not of the schema that the server names", { cause });
      this.#repriced(false);
      return undefined;
    }
    this.#undecodable = 0;
    if (from.hasUnknown || from.hasOddFlag) {
      this.#isNamed = false;
      this.#digestLies = true;
      onNews(
        drift(schema, "the server names our schema, but the protobuf is not of it; the header is not read any more"),
      );
      return undefined;
    }
    this.#named();
    return message;
  }

  #readUnnamed<D extends DescMessage>(schema: D, bytes: Uint8Array, limits: ReadLimits): MessageShape<D> | undefined {
    if (bytes.length === 0 || !hasReader(schema)) return undefined;
    return (this.#profile ?? this.#verified).read(schema, bytes, limits);
  }

  #named(): void {
    if (this.#isNamed) return;
    this.#isNamed = true;
    if (this.#memory?.get(this.#origin) !== undefined) this.#remember(undefined);
  }

  #repriced(isNew: boolean): void {
    this.#price = isNew ? this.#basePrice : Math.min(maxResponsesPerExtraRequest, this.#price * 2);
  }

  #remember(status: OriginStatus | undefined): void {
    if (this.#memory !== undefined && this.#memory.get(this.#origin) !== status) this.#memory.set(this.#origin, status);
  }
}

type OnNews = (news: VerificationNews) => void;

const drift = ({ typeName }: DescMessage, detail: string): VerificationNews => ({
  type: "drift",
  message: typeName,
  detail,
  numbers: {},
});
