import { fileURLToPath } from "node:url";
import { defineProject } from "vitest/config";

export default defineProject({
  // The parser of `bne` has no entry of its own in what is published.
  resolve: { alias: { "#bne": fileURLToPath(new URL("../../cli/src", import.meta.url)) } },
  test: { name: "lab", include: ["**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000 },
});
