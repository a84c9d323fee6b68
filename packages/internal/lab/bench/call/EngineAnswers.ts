// The engine of the call figures, and its bytes.
import { create } from "@bufbuild/protobuf";
import { encode, endpoints, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";

const engine = create(endpoints.get.response, {
  id: "6f3c1f0e-8a5f-4f0e-9a53-7f2c1d1e0b11",
  name: "zipper",
  version: "0.1",
  owner: "b1946ac9-2f1f-4a7e-8f0e-3d1f4b0c9a77",
  type: "assembler",
  status: "active",
  description: "Packs the results of all tasks into one archive, in the order in which the tasks were made.",
  hash: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
  link: "https://storage.example/engines/zipper/0.1/archive.tar.gz?signature=0123456789abcdef0123456789abcdef",
  entrypoint: "main.py",
  revision: 3,
  createdAt: { seconds: 1_700_000_000n, nanos: 123_456_000 },
  updatedAt: { seconds: 1_710_000_000n },
  platform: "docker",
  platformConfig: { container: "python:latest" },
  deviceRequirements: { minCpu: 2, minMemory: 2, gpu: ["tesla t4"] },
  isPublic: true,
  userName: "bytenite",
});

/** What the server of the figures sends, prepared. */
export const engineAnswers = {
  protobuf: encode(endpoints.get.response, engine, "protobuf"),
  json: encode(endpoints.get.response, engine, "json"),
  digest: { [schemaDigestHeader]: schemaDigests[endpoints.get.response.typeName] ?? "" },
};
