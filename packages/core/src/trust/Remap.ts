// Decides: how protobuf with other field numbers becomes an ordinary message of ours.
import { fromBinary, type DescField, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import { layoutOf, type Layout } from "./Admission.ts";
import { messagesOf } from "./Evidence.ts";
import type { Numberings } from "./Numbering.ts";
import { isPlain } from "./Sameness.ts";

/** Largest field number that can be on the wire. */
const maxFieldNumber = 536_870_911;

/**
 * Added to the number of an unknown field that is one of ours: `$unknown` would otherwise be written back under the number of
 * another field of ours, and read as that one.
 */
export const unknownNumberOffset = 268_435_456;

/** Reads what its layout admits. */
export interface AnswerReader<D extends DescMessage = DescMessage> {
  readonly layout: Layout;
  /** Throws for bytes that are no such message after all, e.g. text that is not UTF-8. */
  readonly decode: (bytes: Uint8Array) => MessageShape<D>;
}

/** Reads by the numbers found. The messages are of our types; unknown fields are kept in `$unknown`. */
export const remappedReader = <D extends DescMessage>(root: D, numberings: Numberings): AnswerReader<D> => {
  const schema = remapped(root, numberings);
  const layout = layoutOf(root, numberings);
  const hasClash = messagesOf(root).some((message) =>
    message.fields.some(({ number }) => numberings(message)?.foreign.has(number)),
  );
  if (!hasClash) return { layout, decode: (bytes) => fromBinary(schema, bytes) };
  return {
    layout,
    decode: (bytes) => {
      const message = fromBinary(schema, bytes);
      moveUnknown(root, message);
      return message;
    },
  };
};

/**
 * Our descriptor with the numbers that were found: same type, field and JSON names. A field whose number is not known gets one
 * that cannot be on the wire.
 */
export const remapped = <D extends DescMessage>(root: D, numberings: Numberings): D => {
  const done = new Map<string, DescMessage>();
  const build = (message: DescMessage): DescMessage => {
    const known = done.get(message.typeName);
    if (known !== undefined || !isPlain(message)) return known ?? message;
    const copy = { ...message };
    done.set(message.typeName, copy);
    const found = new Map(
      [...(numberings(message)?.confirmed.values() ?? [])].map((carried) => [carried.field, carried]),
    );
    const fields = new Map(
      message.fields.map((field, index) => {
        const carried = found.get(field);
        const number = carried?.number ?? maxFieldNumber + 1 + index;
        const scalar = carried === undefined || carried.encoding === "message" ? field.scalar : carried.encoding;
        const inside = field.message === undefined ? {} : { message: build(field.message) };
        return [field, { ...field, number, scalar, parent: copy, ...inside } as DescField];
      }),
    );
    const at = (field: DescField): DescField => fields.get(field) ?? field;
    return Object.assign(copy, {
      fields: message.fields.map(at),
      members: message.members.map((member) => (member.kind === "field" ? at(member) : member)),
      field: Object.fromEntries(Object.entries(message.field).map(([name, field]) => [name, at(field)])),
    });
  };
  return build(root) as D;
};

/** Moves unknown fields out of the way of our own numbers, at every depth. */
const moveUnknown = (schema: DescMessage, message: Message): void => {
  const ours = new Set(schema.fields.map(({ number }) => number));
  if (message.$unknown?.some(({ no }) => ours.has(no))) {
    message.$unknown = message.$unknown.map((field) =>
      ours.has(field.no) ? { ...field, no: field.no + unknownNumberOffset } : field,
    );
  }
  for (const field of schema.fields) {
    if (field.message === undefined || !isPlain(field.message)) continue;
    const value = (message as MessageShape<DescMessage> & Record<string, unknown>)[field.localName];
    for (const inner of Array.isArray(value) ? value : value === undefined ? [] : [value]) {
      moveUnknown(field.message, inner as Message);
    }
  }
};
