// Mutations of the descriptors that the contract test must notice.
import {
  create,
  createFileRegistry,
  fromBinary,
  getOption,
  setExtension,
  toBinary,
  type DescFile,
  type DescService,
} from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { Developer, http, HttpRuleSchema } from "@bytenite-engines/proto/service";
import { expect, test } from "vitest";
import { differences } from "./Contract.ts";
import { contractOfService } from "./DescriptorContract.ts";
import { contractOfDocuments, publishedDocuments } from "./DocumentContract.ts";

const filesOf = (root: DescFile, files = new Map<string, FileDescriptorProto>()): Map<string, FileDescriptorProto> => {
  for (const dependency of root.dependencies) filesOf(dependency, files);
  if (!files.has(root.proto.name)) {
    files.set(root.proto.name, fromBinary(FileDescriptorProtoSchema, toBinary(FileDescriptorProtoSchema, root.proto)));
  }
  return files;
};

const withDescriptors = (change: (files: ReadonlyMap<string, FileDescriptorProto>) => void): DescService => {
  const files = filesOf(Developer.file);
  change(files);
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files.values()] }));
  const service = registry.getService(Developer.typeName);
  if (service === undefined) throw new Error(`${Developer.typeName} is gone`);
  return service;
};

const messagesOf = (files: ReadonlyMap<string, FileDescriptorProto>) =>
  [...files.values()].filter((file) => file.package.startsWith("bytenite.")).flatMap((file) => file.messageType);

const { STRING, BYTES, UINT32, FIXED32, MESSAGE } = FieldDescriptorProto_Type;

const fieldMutations: ReadonlyArray<
  [change: string, mutate: (field: FieldProto, siblings: Array<FieldProto>) => void]
> = [
  ["removed", (field, siblings) => siblings.splice(siblings.indexOf(field), 1)],
  ["renamed", (field) => (field.name += "_x")],
  ["given another JSON name", (field) => (field.jsonName = "another")],
  ["given another number", (field) => (field.number += 100)],
  ["made text or bytes", (field) => retype(field, field.type === STRING ? BYTES : STRING)],
  ["made a number", (field) => retype(field, field.type === UINT32 ? FIXED32 : UINT32)],
  [
    "made single or repeated",
    (field) =>
      (field.label =
        field.label === FieldDescriptorProto_Label.REPEATED
          ? FieldDescriptorProto_Label.OPTIONAL
          : FieldDescriptorProto_Label.REPEATED),
  ],
  [
    "doubled",
    (field, siblings) =>
      siblings.push(
        create(FieldDescriptorProtoSchema, {
          name: `${field.name}_more`,
          number: siblings.length + 1,
          type: STRING,
          label: FieldDescriptorProto_Label.OPTIONAL,
        }),
      ),
  ],
];

type FieldProto = FileDescriptorProto["messageType"][number]["field"][number];

const retype = (field: FieldProto, type: FieldDescriptorProto_Type): void => {
  if (field.type === MESSAGE) field.typeName = "";
  field.type = type;
};

const fieldNames = messagesOf(filesOf(Developer.file)).flatMap(({ name, field }) =>
  field.map((each) => [name, each.name] as const),
);

test.for(fieldMutations)("every field that is %s in the proto files is seen", ([, mutate]) => {
  const published = contractOfDocuments(publishedDocuments());
  const unseen = fieldNames.filter(([message, name]) => {
    const service = withDescriptors((files) => {
      for (const { name: owner, field } of messagesOf(files)) {
        const found = owner === message ? field.find((each) => each.name === name) : undefined;
        if (found !== undefined) mutate(found, field);
      }
    });
    return differences(published, contractOfService(service)).length === 0;
  });
  expect(unseen).toEqual([]);
  expect(fieldNames.length).toBeGreaterThan(40);
});

const serviceOf = (files: ReadonlyMap<string, FileDescriptorProto>) => {
  const service = files.get(Developer.file.proto.name)?.service[0];
  if (service === undefined) throw new Error("no service");
  return service;
};

const repath =
  (call: keyof typeof Developer.method, from: string, to: string) =>
  (files: ReadonlyMap<string, FileDescriptorProto>): void => {
    const described = Developer.method[call];
    const { pattern } = getOption(described, http);
    const options = serviceOf(files).method.find(({ name }) => name === described.name)?.options;
    if (options === undefined || pattern.case !== "get") throw new Error("no rule");
    expect(pattern.value).toContain(from);
    const changed = { case: pattern.case, value: pattern.value.replace(from, to) };
    setExtension(options, http, create(HttpRuleSchema, { pattern: changed }));
  };

test.for<[change: string, mutate: (files: ReadonlyMap<string, FileDescriptorProto>) => void]>([
  ["another path of the list", repath("getEngines", "engines", "apps")],
  ["another parameter in the path", repath("getEngineByTag", "engine_tag", "engine_id")],
  ["a path that names no field", repath("getEngineByTag", "engine_tag", "tag")],
  ["another tail of the path", repath("getEngineStatus", "status", "state")],
  [
    "another method",
    (files) => {
      const options = serviceOf(files).method[0]?.options;
      if (options !== undefined) {
        setExtension(
          options,
          http,
          create(HttpRuleSchema, { pattern: { case: "post", value: "/engines" }, body: "*" }),
        );
      }
    },
  ],
  ["a call less", (files) => serviceOf(files).method.pop()],
  ["a renamed call", (files) => Object.assign(serviceOf(files).method[0] ?? {}, { name: "ListEngines" })],
  [
    "another answer",
    (files) =>
      Object.assign(serviceOf(files).method[1] ?? {}, { outputType: ".bytenite.developer.EngineListResponse" }),
  ],
  ["a stream", (files) => Object.assign(serviceOf(files).method[0] ?? {}, { serverStreaming: true })],
  [
    "a message that nothing uses",
    (files) =>
      files
        .get("bytenite/engine/engine.proto")
        ?.messageType.push(create(DescriptorProtoSchema, { name: "EngineRegion" })),
  ],
])("%s in the proto files is seen", ([, mutate]) => {
  const published = contractOfDocuments(publishedDocuments());
  expect(differences(published, contractOfService(withDescriptors(() => undefined)))).toEqual([]);
  expect(differences(published, contractOfService(withDescriptors(mutate)))).not.toEqual([]);
});
