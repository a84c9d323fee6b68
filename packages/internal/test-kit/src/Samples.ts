// Sample engines, as initial values of messages.

/** An engine in which every field but `deletedAt` is populated. */
export const zipper = {
  id: "0b8be0d1-5a6f-4c1b-8a43-6f2f2f3c9e02",
  name: "zipper",
  version: "0.1",
  owner: "b1946ac9-2f1f-4a7e-8f0e-3d1f4b0c9a77",
  type: "assembler",
  status: "active",
  description: "Packs the results of all tasks into one archive, in the order in which the tasks were made.",
  hash: "Ub78jbrg46Shp28qm8MW8uDPJLsS4L4r7CvxQO6luhc=",
  link: "https://storage.example/engines/zipper/0.1/archive.tar.gz?signature=0123456789abcdef0123456789abcdef",
  entrypoint: "main.py",
  revision: 3,
  createdAt: { seconds: 1_700_000_000n },
  updatedAt: { seconds: 1_710_000_000n, nanos: 250_000_000 },
  platform: "docker",
  platformConfig: { container: "python:latest" },
  deviceRequirements: { minCpu: 2, minMemory: 4 },
  isPublic: true,
  userName: "alice",
};

/** One with a secret, GPUs and lists; no two of its fields are equal. */
export const trainer = {
  id: "9f1e2d3c-4b5a-4697-8c8d-7e6f5a4b3c11",
  name: "trainer",
  version: "1.4",
  owner: "5e4d3c2b-1a09-4f8e-8d7c-6b5a49382713",
  type: "partitioner",
  status: "inactive",
  description: "Trains a model on each part.",
  hash: "9T4P4O3WPa+oy3s0o5dsnonJ4DXY+JhPQQi9K2rucpA=",
  link: "https://files.example/trainer.zip?expires=1&signature=abd",
  entrypoint: "train.py",
  revision: 12,
  createdAt: { seconds: 1_744_290_000n },
  updatedAt: { seconds: 1_749_920_000n },
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
};
