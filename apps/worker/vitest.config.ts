import { defineProject } from "vitest/config";

/** Rules, and the built Worker on workerd in front of a real registry. */
export default defineProject({
  test: {
    name: "worker",
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["{src,test}/**/*.test.ts"],
    exclude: ["**/*.workerd.test.ts", "**/node_modules/**"],
  },
});
