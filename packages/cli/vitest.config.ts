import { defineProject } from "vitest/config";

export default defineProject({
  test: {
    name: "cli",
    include: ["{src,test,scripts}/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: "./test/Build.ts",
    // Its CommonJS form hides its names, its other form cannot be loaded by Node as it is.
    server: { deps: { inline: ["jsonc-parser"] } },
  },
});
