// Messages of the sample engines.
import { create } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import * as samples from "@bytenite-engines/test-kit/samples";

export const zipper = create(EngineSchema, samples.zipper);
export const trainer = create(EngineSchema, { ...samples.trainer, deletedAt: { seconds: 1_749_930_000n } });
export const plain = create(EngineSchema, { id: "2d4c6b8a-7e5f", name: "passthrough", version: "0.1" });

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
