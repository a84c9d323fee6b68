import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      "packages/*/vitest.config.ts",
      "apps/*/vitest.config.ts",
      "apps/*/vitest.workerd.config.ts",
      "docs/vitest.config.ts",
      "scripts/vitest.config.ts",
    ],
    reporters: ["default", "./scripts/ClosingLineReporter.ts"],
    // Two cores, and several projects start workerd or servers of their own. How long a test may take is each project's
    // own: projects do not inherit it.
    maxWorkers: 2,
  },
});
