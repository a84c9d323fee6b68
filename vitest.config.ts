import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      "packages/*/vitest.config.ts",
      "apps/*/vitest.config.ts",
      "apps/*/vitest.workerd.config.ts",
      "scripts/vitest.config.ts",
    ],
    reporters: ["default", "./scripts/ClosingLineReporter.ts"],
    // Two cores, and several projects start workerd or servers of their own.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
