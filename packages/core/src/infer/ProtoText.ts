// A profile as a .proto file.
import { ScalarType, type DescField } from "@bufbuild/protobuf";
import { evidenceFrom, profiledMessages, type Profile, type ProfileField, type ProfileMessage } from "./Profile.ts";

/** The package of the emitted file; the contract has three. */
export const emittedPackage = "bytenite.calibrated.v1";

/** A `buf.yaml` for a directory that holds an emitted file under any path: buf wants the path to follow the package. */
export const emittedLintConfig = `version: v2
lint:
  use:
    - STANDARD
    - COMMENTS
  except:
    - PACKAGE_DIRECTORY_MATCH
`;

/**
 * The messages of a profile as a .proto with the numbers found. Fields whose number is not certain are named in comments, and
 * so are those with a number from 19000 to 19999, which compilers refuse. Throws ProfileError.
 */
export const emitProto = (profile: Profile): string => {
  evidenceFrom(profile);
  const messages = profiledMessages.map(({ typeName, name, fields }) => {
    const known = profile.messages[typeName];
    const lines = fields.flatMap((field) => fieldLines(field, known?.fields[field.name]));
    const open = fields.flatMap((field) => openLine(field, known?.fields[field.name]));
    return [
      `// ${typeName}${known === undefined ? ", of which nothing is known" : `, compared with its JSON ${times(known.compared)}`}.`,
      ...open,
      ...unknownLine(known),
      ...(lines.length === 0 ? [`message ${name} {}`] : [`message ${name} {`, ...lines, "}"]),
    ].join("\n");
  });
  const hasTimestamp = messages.some((text) => text.includes("google.protobuf.Timestamp "));
  return [
    `// The field numbers of ${profile.origin} as they were found by comparing its protobuf with its`,
    `// JSON, on ${profile.date}. They are not published and may change.`,
    `syntax = "proto3";`,
    "",
    `package ${emittedPackage};`,
    "",
    ...(hasTimestamp ? [`import "google/protobuf/timestamp.proto";`, ""] : []),
    `${messages.join("\n\n")}\n`,
  ].join("\n");
};

/** Numbers reserved by protobuf. A server may use them anyway, and they can be read. */
const isReserved = (number: number): boolean => number >= 19_000 && number <= 19_999;

const fieldLines = (field: DescField, known: ProfileField | undefined): ReadonlyArray<string> => {
  if (known?.number === undefined || known.type === undefined || isReserved(known.number)) return [];
  const label = field.fieldKind === "list" ? "repeated " : "";
  const type = field.message === undefined ? known.type : emittedType(field.message.typeName, field.message.name);
  return [
    `  // \`${field.jsonName}\` in JSON, seen ${times(known.seen)}.${known.number === field.number ? "" : ` The contract has number ${field.number}.`}`,
    `  ${label}${type} ${field.name} = ${known.number};`,
  ];
};

const emittedType = (typeName: string, name: string): string => (typeName.startsWith("google.") ? typeName : name);

const openLine = (field: DescField, known: ProfileField | undefined): ReadonlyArray<string> => {
  const type = field.message?.name ?? ScalarType[field.scalar ?? ScalarType.STRING].toLowerCase();
  if (known?.number !== undefined) {
    if (!isReserved(known.number)) return [];
    return [`// Cannot be declared: ${field.name} (${type}), whose number ${known.number} is reserved by protobuf.`];
  }
  const candidates = (known?.candidates ?? []).map(({ number }) => number).join(", ");
  return [
    `// Not known: ${field.name} (${type})${candidates === "" ? ", never seen populated" : `, one of ${candidates}`}.`,
  ];
};

const unknownLine = (known: ProfileMessage | undefined): ReadonlyArray<string> =>
  known === undefined || known.unknown.length === 0
    ? []
    : [`// Numbers of fields that the contract does not have: ${known.unknown.join(", ")}.`];

const times = (count: number): string => (count === 1 ? "once" : `${count} times`);
