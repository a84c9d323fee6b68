// Reads answers of a foreign server as a client does, and counts what it takes.
import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { readTrusted, type FormedAnswer } from "../../src/trust/TrustedAnswer.ts";
import type { Trust, TrustNews } from "../../src/trust/Verdict.ts";
import type { ForeignServer } from "./ForeignServer.ts";

export const origin = "https://engines.example";

export interface ReadingOptions<D extends DescMessage> {
  readonly digest?: string | null;
  readonly prefers?: "auto" | "protobuf";
  /** What the JSON shows, where that is not what the protobuf shows. */
  readonly json?: MessageShape<D>;
  /** Who answers in JSON, where that is another one. */
  readonly jsonServer?: ForeignServer;
}

export interface Read<D extends DescMessage> {
  readonly message: MessageShape<D>;
  readonly asked: ReadonlyArray<string>;
  readonly news: ReadonlyArray<TrustNews>;
}

/** Reads once. */
export const readOnce = async <D extends DescMessage>(
  trust: Trust,
  schema: D,
  server: ForeignServer,
  sent: MessageShape<D>,
  { digest = null, prefers = "auto", json = sent, jsonServer = server }: ReadingOptions<D> = {},
): Promise<Read<D>> => {
  const asked: Array<string> = [];
  const news: Array<TrustNews> = [];
  const { message } = await readTrusted({
    trust,
    origin,
    schema,
    prefers,
    onNews: (item) => news.push(item),
    ask: (format): Promise<FormedAnswer<D>> => {
      asked.push(format);
      return Promise.resolve(
        format === "json"
          ? { format, message: jsonServer.json(schema, json) }
          : { format, digest, bytes: server.protobuf(schema, sent) },
      );
    },
  });
  return { message, asked, news };
};

/** What a message says, without what only its protobuf carries. */
export const said = (server: ForeignServer, schema: DescMessage, message: Message): Message =>
  server.json(schema, message);
