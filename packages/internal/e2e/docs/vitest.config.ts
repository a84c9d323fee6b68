import { defineProject } from "vitest/config";

export default defineProject({
  test: {
    name: "docs",
    include: ["test/**/*.test.ts"],
    globalSetup: "src/GlobalSetup.ts",
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});
