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
    // The limits of time are each project's own: projects do not inherit them. Two cores, and several projects start workerd or servers of their own.
    maxWorkers: 2,
  },
});
