// Decides: in which order the two forms of an answer are read so that the caller gets right data for the fewest requests.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Format } from "../MediaType.ts";
import type { ReadLimits } from "../ReadLimits.ts";
import { sameMessage } from "./Sameness.ts";
import type { ProtobufAnswer, Trust, TrustNews, Verdict } from "./Verdict.ts";
import { sameWire } from "./WireFields.ts";

/** One answer of the server, in the form in which it came. `followed`: another call asked for it, and learns from it. */
export type FormedAnswer<D extends DescMessage> = { readonly followed?: boolean } & (
  | { readonly format: "json"; readonly message: MessageShape<D> }
  | {
      readonly format: "protobuf";
      readonly digest: string | null;
      readonly bytes: Uint8Array;
      readonly limits?: ReadLimits;
    }
);

/** The data to hand out, and the answer it was in. */
export interface TrustedAnswer<D extends DescMessage, A extends FormedAnswer<D>> {
  readonly message: MessageShape<D>;
  readonly answer: A;
}

/** Bytes that are not what their origin says, or that nothing confirms. */
export class UntrustedAnswer extends Error {
  readonly problem: "undecodable" | "unconfirmed";

  constructor(problem: "undecodable" | "unconfirmed", cause?: unknown) {
    super(
      problem === "undecodable"
        ? "the protobuf is not of the schema that the server names"
        : "the server answers in protobuf only, and nothing confirms its field numbers",
      cause === undefined ? undefined : { cause },
    );
    this.name = "UntrustedAnswer";
    this.problem = problem;
  }
}

/** What reading takes. */
export interface Asking<D extends DescMessage, A extends FormedAnswer<D>> {
  readonly trust: Trust;
  readonly origin: string;
  readonly schema: D;
  /** The form that the caller wants; `auto` leaves it to the trust. */
  readonly prefers: "auto" | Format;
  /**
   * One request for a form. It may answer in the other one; what it throws ends the reading, unless spare. Fresh: no cache
   * may answer; it is asked for only where the two forms did not fit. Spare: the data is there already, and what this throws is
   * no failure; it may be given up for lack of time.
   */
  readonly ask: (format: Format, fresh: boolean, spare: boolean) => Promise<A>;
  readonly onNews?: ((news: TrustNews) => void) | undefined;
}

/**
 * One request where the numbers are certain or the answer is JSON; one more to witness; up to two more only when the two did
 * not fit. Rejects with UntrustedAnswer, and with what `ask` throws.
 */
export const readTrusted = async <D extends DescMessage, A extends FormedAnswer<D>>(
  asking: Asking<D, A>,
): Promise<TrustedAnswer<D, A>> => {
  const ready = asking.trust.ready(asking.origin);
  if (ready !== undefined) await ready;
  const form = firstForm(asking);
  return weigh(asking, form, await asking.ask(form, false, false));
};

/** The form of the first request. */
export const firstForm = ({
  trust,
  origin,
  schema,
  prefers,
}: Pick<Asking<DescMessage, never>, "trust" | "origin" | "schema" | "prefers">): Format =>
  prefers === "auto" ? trust.asks(origin, schema) : prefers;

/**
 * What to hand out after the first answer, which was asked for in `form`. Not a promise where that one is enough, as it nearly
 * always is. Throws or rejects with UntrustedAnswer, and with what `ask` throws.
 */
export const weigh = <D extends DescMessage, A extends FormedAnswer<D>>(
  asking: Asking<D, A>,
  form: Format,
  first: A,
): TrustedAnswer<D, A> | Promise<TrustedAnswer<D, A>> => {
  const { trust, origin, schema, prefers } = asking;
  if (first.format === "json") {
    const trusted = { message: first.message, answer: first };
    const teaches = prefers === "auto" && form === "json" && trust.teaches(origin, schema, first.message);
    return teaches ? taught(asking, trusted) : trusted;
  }
  const verdict = trust.decide(origin, schema, first);
  if (verdict.kind === "believed") return { message: verdict.message, answer: first };
  if (verdict.kind === "undecodable") throw new UntrustedAnswer("undecodable", verdict.cause);
  return witnessed(asking, first, first, verdict);
};

/** Has the protobuf of an answer in JSON teach something. */
const taught = async <D extends DescMessage, A extends FormedAnswer<D>>(
  asking: Asking<D, A>,
  trusted: TrustedAnswer<D, A>,
): Promise<TrustedAnswer<D, A>> => {
  const protobuf = await attempt(asking, "protobuf", false);
  if (protobuf?.format === "protobuf" && protobuf.followed !== true) await settle(asking, protobuf, trusted.message);
  return trusted;
};

/** The JSON of the same resource; without it, what was believed so far. */
const witnessed = async <D extends DescMessage, A extends FormedAnswer<D>>(
  asking: Asking<D, A>,
  first: A,
  protobuf: ProtobufAnswer,
  verdict: Verdict<D> & { readonly kind: "witness" },
): Promise<TrustedAnswer<D, A>> => {
  const { trust, origin, schema, onNews } = asking;
  const believed = verdict.message;
  const witness =
    believed === undefined ? await asking.ask("json", false, false) : await attempt(asking, "json", false);
  if (witness?.format === "json") {
    // The same pair twice would count as two.
    if (witness.followed !== true) await settle(asking, protobuf, witness.message);
    return { message: witness.message, answer: witness };
  }
  if (believed !== undefined) {
    for (const news of trust.alone(origin, schema)) onNews?.(news);
    return { message: believed, answer: first };
  }
  if (verdict.reason === "undecodable") throw new UntrustedAnswer("undecodable", verdict.cause);
  throw new UntrustedAnswer("unconfirmed");
};

/** A request that the caller's data does not hang on: without an answer, the next call is another chance. */
const attempt = async <D extends DescMessage, A extends FormedAnswer<D>>(
  { ask }: Asking<D, A>,
  format: Format,
  fresh: boolean,
): Promise<A | undefined> => {
  try {
    return await ask(format, fresh, true);
  } catch {
    return undefined;
  }
};

/** Shows a pair to the trust. One that does not fit is read again: only where nothing changed, somebody is to blame. */
const settle = async <D extends DescMessage, A extends FormedAnswer<D>>(
  asking: Asking<D, A>,
  first: ProtobufAnswer,
  firstJson: MessageShape<D>,
): Promise<void> => {
  const { trust, origin, schema, onNews } = asking;
  const fits = ({ digest, bytes }: ProtobufAnswer, json: MessageShape<D>): boolean => {
    const finding = trust.witness(origin, schema, { digest, bytes, json });
    for (const news of finding.news) onNews?.(news);
    return finding.fits;
  };
  if (fits(first, firstJson)) return;
  const second = await attempt(asking, "protobuf", true);
  if (second?.format !== "protobuf" || fits(second, firstJson)) return;
  const secondJson = await attempt(asking, "json", true);
  if (secondJson?.format !== "json" || fits(second, secondJson.message)) return;
  const isSteady = sameWire(first.bytes, second.bytes) && sameMessage(schema, firstJson, secondJson.message);
  if (!isSteady) return;
  const { digest, bytes } = second;
  for (const news of trust.blame(origin, schema, { digest, bytes, json: secondJson.message })) onNews?.(news);
};
