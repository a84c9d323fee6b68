// Comments of the contract, as OpenAPI descriptions.
import type { DescField, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";

/** Field numbers of the descriptors that lead to a definition (google/protobuf/descriptor.proto). */
const inFile = { message: 4, service: 6 } as const;
const inMessage = { field: 2 } as const;
const inService = { method: 2 } as const;

const pathOf = (described: DescMessage | DescField | DescService | DescMethod): ReadonlyArray<number> => {
  const { parent } = described as { parent?: DescMessage | DescService | undefined };
  switch (described.kind) {
    case "message":
      return [inFile.message, described.file.messages.indexOf(described)];
    case "service":
      return [inFile.service, described.file.services.indexOf(described)];
    case "field":
      return [...pathOf(parent as DescMessage), inMessage.field, described.parent.fields.indexOf(described)];
    case "rpc":
      return [...pathOf(parent as DescService), inService.method, described.parent.methods.indexOf(described)];
  }
};

/** The comment before a definition, on one line. Every definition of the contract has one; buf lint sees to it. */
export const commentOf = (described: DescMessage | DescField | DescService | DescMethod): string => {
  const file = "file" in described ? described.file : described.parent.file;
  const path = pathOf(described).join(".");
  const location = file.proto.sourceCodeInfo?.location.find((location) => location.path.join(".") === path);
  return (location?.leadingComments ?? "").trim().replaceAll(/\s*\n\s*/g, " ");
};
