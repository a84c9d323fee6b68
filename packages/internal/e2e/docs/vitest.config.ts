import { defineProject } from "vitest/config";

export default defineProject({
  test: {
    name: "docs",
    include: ["test/**/*.test.ts"],
    globalSetup: "src/GlobalSetup.ts",
    // Each guide installs with npm; more at once hinder each other.
    maxConcurrency: 3,
    testTimeout: 400_000,
    hookTimeout: 120_000,
  },
});
