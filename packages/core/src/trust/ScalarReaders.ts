// Decides: how one value of each scalar type is read.
import { ScalarType, type DescField } from "@bufbuild/protobuf";
import type { BinaryReader } from "@bufbuild/protobuf/wire";

type ScalarReader = (reader: BinaryReader) => unknown;

const readers: Readonly<Record<ScalarType, ScalarReader>> = {
  [ScalarType.DOUBLE]: (reader) => reader.double(),
  [ScalarType.FLOAT]: (reader) => reader.float(),
  [ScalarType.INT64]: (reader) => reader.int64(),
  [ScalarType.UINT64]: (reader) => reader.uint64(),
  [ScalarType.INT32]: (reader) => reader.int32(),
  [ScalarType.FIXED64]: (reader) => reader.fixed64(),
  [ScalarType.FIXED32]: (reader) => reader.fixed32(),
  [ScalarType.BOOL]: (reader) => reader.bool(),
  [ScalarType.STRING]: (reader) => reader.string(true),
  [ScalarType.BYTES]: (reader) => reader.bytes(),
  [ScalarType.UINT32]: (reader) => reader.uint32(),
  [ScalarType.SFIXED32]: (reader) => reader.sfixed32(),
  [ScalarType.SFIXED64]: (reader) => reader.sfixed64(),
  [ScalarType.SINT32]: (reader) => reader.sint32(),
  [ScalarType.SINT64]: (reader) => reader.sint64(),
};

/** Reads a value that was written in an encoding, as protobuf-es hands out that field. Throws for text that is not UTF-8. */
export const scalarReaderOf = (field: DescField, encoding: ScalarType): ScalarReader => {
  const read = readers[encoding];
  if (!("longAsString" in field && field.longAsString)) return read;
  return (reader) => String(read(reader));
};
