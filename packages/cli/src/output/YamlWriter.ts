// Records as YAML 1.2, a piece at a time.
import type { JsonValue } from "@bufbuild/protobuf";
import { Document, isScalar, Scalar, visit } from "yaml";
import { safeLines, safeText } from "../terminal/SafeText.ts";
import type { RecordWriter, Shape, Write } from "./Shape.ts";

/** A value as YAML. Text that a terminal would act upon is quoted, because only quoted text can carry escapes. */
export const yamlOf = (value: JsonValue): string => {
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_, node) => {
      if (isScalar(node) && typeof node.value === "string" && safeText(node.value) !== node.value) {
        node.type = Scalar.QUOTE_DOUBLE;
      }
    },
  });
  const text = document.toString({ lineWidth: 0 });
  // The library leaves many of them as they are. Above the first plane YAML has an escape of its own.
  return safeLines(
    text.replaceAll(/[\u{10000}-\u{10ffff}]/gu, (char) =>
      safeText(char) === char ? char : `\\U${char.codePointAt(0)?.toString(16).padStart(8, "0")}`,
    ),
  );
};

/** One YAML document. */
export const yamlWriter = ({ document }: Shape, write: Write): RecordWriter => {
  const envelope = typeof document === "object" ? document : undefined;
  let written = 0;
  return {
    write: async (records) => {
      if (records.length === 0) return;
      if (document === "one") return write(records.map(({ json }) => yamlOf(json)).join("---\n"));
      const items = yamlOf(records.map(({ json }) => json));
      const head = written === 0 && envelope !== undefined ? `${envelope.key}:\n` : "";
      written += records.length;
      await write(head + (envelope === undefined ? items : items.replaceAll(/^(?=.)/gm, "  ")));
    },
    end: async () => {
      if (document === "one") return;
      const empty = written > 0 ? "" : envelope === undefined ? "[]\n" : `${envelope.key}: []\n`;
      const rest = envelope === undefined ? {} : envelope.rest();
      await write(empty + (Object.keys(rest).length === 0 ? "" : yamlOf(rest)));
    },
  };
};
