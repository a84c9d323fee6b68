import { defineProject } from "vitest/config";

export default defineProject({
  // A package that is inlined names source maps that it does not bring.
  logLevel: "error",
  test: {
    name: "scripts",
    include: ["**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // It imports JSON as only a bundler may.
    server: { deps: { inline: ["@actions/workflow-parser"] } },
  },
});
