// Whether the protobuf of an origin is that of our schema, by the digest that it sends.
import type { DescMessage } from "@bufbuild/protobuf";
import type { Answered } from "../Requester.ts";
import type { Format } from "../MediaType.ts";
import { schemaDigest, schemaDigestHeader } from "../SchemaDigest.ts";

/** How long an origin that did not name our schema is asked for JSON at first, in milliseconds; twice as long each time. */
export const firstJsonMs = 5 * 60_000;
/** The longest such time, in milliseconds. */
export const longestJsonMs = 24 * 60 * 60_000;

interface JsonPeriod {
  readonly untilMs: number;
  readonly lengthMs: number;
}

/**
 * What is known of the answers of each origin. Protobuf is asked for first. An answer that names our schema
 * (`Bytenite-Schema-Digest`) is used; for any other the same is asked once more in JSON, and the origin in JSON from then on, for
 * five minutes at first and a day at last.
 */
export class SchemaMemory {
  readonly #periods = new Map<string, JsonPeriod>();
  readonly #digests = new WeakMap<DescMessage, Promise<string>>();

  async verified<A extends { readonly format: Format; readonly answered: Answered }>(
    origin: string,
    schema: DescMessage,
    nowMs: number,
    ask: (format: Format) => Promise<A>,
  ): Promise<A> {
    const key = `${origin} ${schema.typeName}`;
    const period = this.#periods.get(key);
    if (period !== undefined && nowMs < period.untilMs) return ask("json");
    const received = await ask("protobuf");
    const sent = received.answered.answer.headers.get(schemaDigestHeader);
    if (received.format === "protobuf" && sent !== null && sent === (await this.#digestOf(schema))) {
      this.#periods.delete(key);
      return received;
    }
    const lengthMs = Math.min(longestJsonMs, period === undefined ? firstJsonMs : period.lengthMs * 2);
    this.#periods.set(key, { untilMs: nowMs + lengthMs, lengthMs });
    return received.format === "json" ? received : ask("json");
  }

  #digestOf(schema: DescMessage): Promise<string> {
    let digest = this.#digests.get(schema);
    if (digest === undefined) {
      digest = schemaDigest(schema);
      this.#digests.set(schema, digest);
    }
    return digest;
  }
}
