// Decides: how protobuf is read: by code made for the answers of the API, and by protobuf-es for every other message.
import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { readers } from "./gen/readers.ts";
import { MessageBytes } from "./MessageBytes.ts";

/** The message in bytes, by the numbers of its schema. Throws for bytes that are none. */
export const readMessage = <D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> =>
  readOwn(schema, new MessageBytes(bytes));

/** The same, where what was met on the way is asked for afterwards. */
export const readOwn = <D extends DescMessage>(schema: D, from: MessageBytes): MessageShape<D> =>
  readMessageFrom(schema, from) ?? fromBinary(schema, from.bytes);

/** The message in bytes that say themselves which field is which; undefined for one that is no answer of the API. */
export const readMessageFrom = <D extends DescMessage>(schema: D, from: MessageBytes): MessageShape<D> | undefined =>
  readers.get(schema)?.(from, from.bytes.length) as MessageShape<D> | undefined;
