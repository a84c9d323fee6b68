// Decides: in which order the two forms of an answer are read so that the caller gets right data for the fewest requests.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Format } from "../MediaType.ts";
import type { Trust, TrustNews } from "./Verdict.ts";

/** One answer of the server, in the form in which it came. */
export type FormedAnswer<D extends DescMessage> =
  | { readonly format: "json"; readonly message: MessageShape<D> }
  | { readonly format: "protobuf"; readonly digest: string | null; readonly bytes: Uint8Array };

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
  /** One request for a form. It may answer in the other one; what it throws ends the reading. */
  readonly ask: (format: Format) => Promise<A>;
  readonly onNews?: ((news: TrustNews) => void) | undefined;
}

/**
 * One request where the numbers are certain or the answer is JSON; one more to witness; a third only when the two did not
 * fit. Rejects with UntrustedAnswer, and with what `ask` throws.
 */
export const readTrusted = async <D extends DescMessage, A extends FormedAnswer<D>>(
  asking: Asking<D, A>,
): Promise<TrustedAnswer<D, A>> => {
  const { trust, origin, schema, prefers, ask } = asking;
  const ready = trust.ready(origin);
  if (ready !== undefined) await ready;
  const asked = prefers === "auto" ? trust.asks(origin, schema) : prefers;
  const first = await ask(asked);
  if (first.format === "json") {
    if (prefers === "auto" && asked === "json" && trust.teaches(origin, schema, first.message))
      await taught(asking, first);
    return { message: first.message, answer: first };
  }
  const verdict = trust.decide(origin, schema, first);
  if (verdict.kind === "believed") return { message: verdict.message, answer: first };
  if (verdict.kind === "undecodable") throw new UntrustedAnswer("undecodable", verdict.cause);
  let witness: A;
  try {
    witness = await ask("json");
  } catch (cause) {
    if (verdict.message === undefined) throw cause;
    return { message: verdict.message, answer: first };
  }
  if (witness.format !== "json") {
    if (verdict.message === undefined) throw new UntrustedAnswer("unconfirmed");
    return { message: verdict.message, answer: first };
  }
  await testified(asking, first, witness.message);
  return { message: witness.message, answer: witness };
};

type Protobuf = { readonly digest: string | null; readonly bytes: Uint8Array };

/** Reads the protobuf beside a JSON answer. The answer stands, whatever comes of it. */
const taught = async <D extends DescMessage, A extends FormedAnswer<D>>(
  asking: Asking<D, A>,
  { message }: { readonly message: MessageShape<D> },
): Promise<void> => {
  const { trust, origin, schema, ask } = asking;
  try {
    const protobuf = await ask("protobuf");
    if (protobuf.format === "json") return;
    const finding = trust.witness(origin, schema, { digest: protobuf.digest, bytes: protobuf.bytes, json: message });
    for (const news of finding.news) asking.onNews?.(news);
    if (finding.kind !== "again") return;
    // Only JSON that was read between two readings of the protobuf can show that nothing changed.
    const json = await ask("json");
    if (json.format === "json") await testified(asking, protobuf, json.message);
  } catch {
    // The next answer is another chance.
  }
};

const testified = async <D extends DescMessage, A extends FormedAnswer<D>>(
  asking: Asking<D, A>,
  { digest, bytes }: Protobuf,
  json: MessageShape<D>,
): Promise<void> => {
  const { trust, origin, schema, ask, onNews } = asking;
  const first = trust.witness(origin, schema, { digest, bytes, json });
  for (const news of first.news) onNews?.(news);
  if (first.kind !== "again") return;
  let second: A;
  try {
    second = await ask("protobuf");
  } catch {
    return;
  }
  if (second.format !== "protobuf") return;
  const { news } = trust.witness(origin, schema, { digest: second.digest, bytes: second.bytes, json, earlier: bytes });
  for (const item of news) onNews?.(item);
};
