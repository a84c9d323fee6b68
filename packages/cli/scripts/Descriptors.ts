// Bundler plugin that decodes descriptors of protobuf files while it builds.
import { fromBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Plugin } from "rolldown";

/** Code of a value of a descriptor. A message keeps its prototype, which has the defaults of fields that are not set. */
const codeOf = (value: unknown, prototypes: Map<object, string>): string => {
  if (value === undefined) return "undefined";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (value instanceof Uint8Array) return `new Uint8Array([${value.join(",")}])`;
  if (Array.isArray(value)) return `[${value.map((item) => codeOf(item, prototypes)).join(",")}]`;
  const prototype = Object.getPrototypeOf(value) as object | null;
  const own = Object.entries(value).map(([name, field]) => `${JSON.stringify(name)}:${codeOf(field, prototypes)}`);
  if (prototype === null || prototype === Object.prototype) return `{${own.join(",")}}`;
  const name = prototypes.get(prototype) ?? `$defaults${prototypes.size}`;
  prototypes.set(prototype, name);
  return `{__proto__:${name},${own.join(",")}}`;
};

/**
 * Generated code decodes the descriptor of each file when it is loaded, for which protobuf-es first makes the types of descriptors: four
 * fifths of what loading the client takes. Decoded here, it is an object in the code.
 */
export const decodedDescriptors: Plugin = {
  name: "decoded-descriptors",
  transform: (code, id) => {
    if (id.endsWith("/codegenv2/file.js")) {
      const decoding = "fromBinary(FileDescriptorProtoSchema, base64Decode(b64))";
      if (!code.includes(decoding)) throw new Error(`${id} decodes descriptors in another way`);
      return { code: code.replace(decoding, "b64"), map: null };
    }
    if (!/_pb\.[jt]s$/.test(id) || !code.includes("fileDesc(")) return null;
    const prototypes = new Map<object, string>();
    const decoded = code.replaceAll(/\bfileDesc\(\s*"([A-Za-z0-9+/=]+)"/g, (_, base64: string) => {
      const file = fromBinary(FileDescriptorProtoSchema, base64Decode(base64));
      return `fileDesc(${codeOf(file, prototypes)}`;
    });
    const defaults = [...prototypes].map(
      ([prototype, name]) => `const ${name} = ${codeOf({ ...prototype }, prototypes)};`,
    );
    return { code: `${defaults.join("\n")}\n${decoded}`, map: null };
  },
};
