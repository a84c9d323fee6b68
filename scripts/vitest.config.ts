import { defineProject } from "vitest/config";

export default defineProject({
  // An inlined package refers to source maps that it does not contain.
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
