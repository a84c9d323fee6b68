// Verification of protobuf by schema digest, JSON or profile.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { oncePer } from "../Descriptor.ts";
import { schemaDigests } from "../gen/schemaDigests.ts";
import type { Format } from "../MediaType.ts";
import type { ProtobufReader } from "../MessageReader.ts";
import { hasMethods } from "../OptionNames.ts";
import { LimitExceeded, type ReadLimits } from "../ReadLimits.ts";
import { UnreadableBody } from "../Reading.ts";
import { schemaDigest } from "../SchemaDigest.ts";
import { sameMessage } from "./FieldMatch.ts";
import { VerifiedFields, type VerificationNews } from "./VerifiedFields.ts";

/** One in so many protobuf responses without our schema digest is compared with JSON again. */
export const defaultSampleEvery = 500;
/** One additional request to verify protobuf per so many responses of an origin. */
export const defaultResponsesPerExtraRequest = 128;
/** The same at most, after requests that verified no more fields. */
export const maxResponsesPerExtraRequest = 16_384;
/** How long JSON is requested of an origin that sent JSON for protobuf, in milliseconds. */
export const jsonOnlyMs = 5 * 60_000;

/** The field numbers of an origin from a profile: `fieldNumbers(profile)` of `@bytenite-engines/core/infer`. */
export interface FieldNumbers {
  /** For example `https://api.example`. */
  readonly origin: string;
  /** Whether a number is not ours: then the schema digest is ignored. */
  readonly areOther: boolean;
  /**
   * Decodes a message; undefined where the number of a field is not known. The schema has names and numbers of fields only.
   */
  readonly read: <D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    limits?: ReadLimits,
  ) => MessageShape<D> | undefined;
}

/** `json`: its protobuf could not be verified. `compared`: its profile was compared with JSON. */
export type OriginStatus = "json" | "compared";

/** Store of verified origins for later processes. Both functions are synchronous and must not throw. */
export interface OriginMemory {
  readonly get: (origin: string) => OriginStatus | undefined;
  readonly set: (origin: string, status: OriginStatus | undefined) => void;
}

/** Verification of protobuf without our schema digest. */
export interface VerificationOptions {
  /** Field numbers of origins, for servers whose numbers are not ours. The first response is compared with JSON. */
  readonly fieldNumbers?: ReadonlyArray<FieldNumbers> | undefined;
  /** For short processes: an origin that could not be verified is read in JSON from the start. */
  readonly memory?: OriginMemory | undefined;
  /** One in so many such responses is compared with JSON again. Default 500; Infinity: none. */
  readonly sampleEvery?: number | undefined;
  /**
   * One additional request to verify protobuf per so many responses of an origin. The first one is free. Default 128, so that 1,000
   * calls take at most 1,009 requests.
   */
  readonly responsesPerExtraRequest?: number | undefined;
}

/** The format of one request. */
export interface FormatChoice {
  readonly format: Format;
  /** Whether a second request in JSON is reserved for it. */
  isProbe: boolean;
}

/** The verification of one client. No I/O. */
export class SchemaVerifier {
  readonly #options: VerificationOptions;
  readonly #origins = new Map<string, OriginVerifier>();

  /** Throws RangeError or TypeError for invalid options. */
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
    const verifier = this.#origins.get(origin) ?? new OriginVerifier(origin, this.#options);
    this.#origins.set(origin, verifier);
    return verifier;
  }

  /** Whether the header has our schema digest. */
  isNamed(schema: DescMessage, digest: string | null): boolean | Promise<boolean> {
    if (digest === null) return false;
    const known = schemaDigests[schema.typeName];
    return known === undefined ? digestOf(schema).then((own) => own === digest) : known === digest;
  }
}

/**
 * Verification state of one origin. A request in protobuf may take a second one in JSON, which needs a full credit: it is full at the start, a
 * response adds 1, an additional request empties it. An origin whose last response had our digest needs no credit. So the number of requests is
 * bounded whatever a response contains.
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
  /** Whether the last response had our schema digest. */
  #isNamed = false;
  #digestLies: boolean;
  /** Consecutive responses with our schema digest that could not be decoded. */
  #undecodable = 0;
  #jsonUntilMs = 0;
  #untilSample: number;
  /** Key of the request whose protobuf may be compared; undefined without deduplication. */
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
    // After an earlier process the next comparison is at a random place.
    this.#untilSample = status === "compared" ? Math.ceil(Math.random() * this.#sampleEvery) : 1;
    if (this.#profile === undefined) this.#untilSample = this.#sampleEvery;
  }

  /**
   * The format of the next request. `key`: equal for deduplicated requests. Call `end` afterwards.
   */
  choose(nowMs: number, key: string | undefined): FormatChoice {
    this.#credit = Math.min(this.#price, this.#credit + 1);
    if (nowMs < this.#jsonUntilMs) return { format: "json", isProbe: false };
    if (this.#isNamed && this.#credit >= 0) return { format: "protobuf", isProbe: false };
    if (this.#probe !== undefined)
      return { format: key !== undefined && key === this.#probe.key ? "protobuf" : "json", isProbe: false };
    if (this.#credit < this.#price) return { format: "json", isProbe: false };
    this.#probe = { key };
    return { format: "protobuf", isProbe: true };
  }

  /** Ends a request. */
  end(choice: FormatChoice): void {
    if (choice.isProbe) this.#probe = undefined;
    choice.isProbe = false;
  }

  /** Counts a JSON response to a request for JSON. */
  sawJson(isNamed: boolean): void {
    if (isNamed && !this.#digestLies) this.#named();
  }

  /** Records JSON in response to a request for protobuf. True the first time. */
  answersJson(nowMs: number): boolean {
    const isNew = nowMs >= this.#jsonUntilMs;
    this.#jsonUntilMs = nowMs + jsonOnlyMs;
    return isNew;
  }

  /** Pays for an additional request in JSON, or makes a debt. `isSample`: to compare a verified response. */
  spend(choice: FormatChoice, isSample: boolean): void {
    this.#credit -= this.#price;
    this.end(choice);
    if (!this.#isNamed && !isSample) this.#remember("json");
  }

  /**
   * Reads protobuf; undefined: not verified, read the resource in JSON. `isSample`: JSON of the same resource should be compared with it. Throws UnreadableBody the first time that bytes do not fit the
   * digest's schema; LimitExceeded for messages beyond the limits.
   */
  read<D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    isNamed: boolean,
    limits: ReadLimits,
    onNews: OnNews,
    readProtobuf: ProtobufReader,
  ): { readonly message: MessageShape<D>; readonly isSample: boolean } | undefined {
    this.#jsonUntilMs = 0;
    if (isNamed && !this.#digestLies) {
      const message = this.#readNamed(schema, bytes, limits, onNews, readProtobuf);
      return message && { message, isSample: false };
    }
    this.#isNamed = false;
    if (bytes.length === 0) return undefined;
    const message = (this.#profile ?? this.#verified).read(schema, bytes, limits);
    if (message === undefined) return undefined;
    this.#price = this.#basePrice;
    this.#untilSample -= 1;
    const isSample = this.#untilSample <= 0;
    if (isSample) this.#untilSample = this.#sampleEvery;
    return { message, isSample };
  }

  /** Compares protobuf without our digest with JSON of the same resource. */
  compare<D extends DescMessage>(schema: D, bytes: Uint8Array, json: MessageShape<D>, onNews: OnNews): void {
    if (this.#profile === undefined) {
      const knew = !this.#verified.isEmpty;
      const news = this.#verified.learn(schema, bytes, json);
      if (news === undefined) {
        this.#verified.forget();
        if (knew) drift(onNews, schema, "the protobuf does not fit the JSON of the same resource any more");
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
    const problem = "the protobuf read by the profile does not fit the JSON of the same resource";
    drift(onNews, schema, `${problem}; the profile is not used any more`);
  }

  #readNamed<D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    limits: ReadLimits,
    onNews: OnNews,
    readProtobuf: ProtobufReader,
  ): MessageShape<D> | undefined {
    let isStrange = false;
    let message: MessageShape<D>;
    try {
      message = readProtobuf(schema, bytes, limits, ({ hasUnknown, hasOddFlag }) => {
        isStrange = hasUnknown || hasOddFlag;
      });
    } catch (cause) {
      if (cause instanceof LimitExceeded) throw cause;
      this.#undecodable += 1;
      // One body may be truncated. After a second one JSON is requested.
      if (this.#undecodable === 1)
        throw new UnreadableBody("the protobuf is not of the schema that the server names", { cause });
      this.#repriced(false);
      return undefined;
    }
    this.#undecodable = 0;
    if (!isStrange) {
      this.#named();
      return message;
    }
    this.#isNamed = false;
    this.#digestLies = true;
    drift(
      onNews,
      schema,
      "the server names our schema, but the protobuf is not of it; the header is not read any more",
    );
    return undefined;
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

const digestOf = /* @__PURE__ */ oncePer(schemaDigest);

type OnNews = (news: VerificationNews) => void;

const drift = (onNews: OnNews, { typeName }: DescMessage, detail: string): void =>
  onNews({ type: "drift", message: typeName, detail, numbers: {} });
