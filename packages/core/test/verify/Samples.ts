// Engines with every field of the contract set at least once.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";

const engine = (init: MessageInitShape<typeof EngineSchema>) => create(EngineSchema, init);

export const zipper = engine({
  id: "0b8be0d1-5a6f-4c1b-8a43-6f2f2f3c9e02",
  name: "zipper",
  version: "0.1",
  owner: "u-17",
  type: "assembler",
  status: "active",
  description: "Packs the results of all tasks into one archive.",
  hash: "Ub78jbrg46Shp28qm8MW8uDPJLsS4L4r7CvxQO6luhc=",
  link: "https://files.example/zipper.zip?expires=1&signature=abc",
  entrypoint: "main.py",
  revision: 3,
  createdAt: { seconds: 1_744_280_000n },
  updatedAt: { seconds: 1_749_910_000n, nanos: 250_000_000 },
  platform: "docker",
  platformConfig: { container: "python:latest" },
  deviceRequirements: { minCpu: 2, minMemory: 4 },
  isPublic: true,
  userName: "alice",
});

export const trainer = engine({
  id: "9f1e2d3c-4b5a-4697-8c8d-7e6f5a4b3c11",
  name: "trainer",
  version: "1.4",
  owner: "u-18",
  type: "partitioner",
  status: "inactive",
  description: "Trains a model on each part.",
  hash: "9T4P4O3WPa+oy3s0o5dsnonJ4DXY+JhPQQi9K2rucpA=",
  link: "https://files.example/trainer.zip?expires=1&signature=abd",
  entrypoint: "train.py",
  revision: 12,
  createdAt: { seconds: 1_744_290_000n },
  updatedAt: { seconds: 1_749_920_000n },
  deletedAt: { seconds: 1_749_930_000n },
  platform: "docker",
  platformConfig: {
    container: "ghcr.io/acme/trainer:7",
    privateImage: true,
    username: "acme",
    token: "not-a-secret",
    secrets: ["WANDB_KEY", "HF_TOKEN"],
  },
  deviceRequirements: { minCpu: 0.5, minMemory: 16, gpu: ["nvidia a100-sxm4-40gb", "tesla t4"] },
  userName: "bob",
});

export const plain = engine({ id: "2d4c6b8a-7e5f-4d3c-9b1a-0f8e7d6c5b05", name: "passthrough", version: "0.1" });

export const page = create(EngineListResponseSchema, {
  engines: [zipper, trainer, plain],
  pagination: { total: 17, offset: 5, hasPrevious: true, hasNext: false },
});

export const firstPage = create(EngineListResponseSchema, {
  engines: [plain, zipper],
  pagination: { total: 9, hasNext: true },
});

export const statuses = ["active", "inactive"].map((engineStatus, index) =>
  create(EngineMessageSchema, { engineId: `id-${index}`, engineTag: `zipper@0.${index}`, engineStatus }),
);
