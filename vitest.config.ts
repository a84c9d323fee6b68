import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      "packages/*/vitest.config.ts",
      "packages/internal/e2e/*/vitest.config.ts",
      "packages/internal/{lab,test-kit}/vitest.config.ts",
      "apps/*/vitest.config.ts",
      "apps/*/vitest.workerd.config.ts",
      "scripts/vitest.config.ts",
    ],
    reporters: ["default", "./scripts/ClosingLineReporter.ts"],
    // Several projects start workerd, servers or browsers of their own, so that more workers than this hinder each other. How
    // long a test may take is said in each project's file, which inherits nothing from this one; timeouts on the command line
    // would overrule them.
    maxWorkers: 2,
  },
});
