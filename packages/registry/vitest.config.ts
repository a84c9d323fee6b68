import { defineProject } from "vitest/config";

export default defineProject({
  // Thousands of requests, and processes that are killed and started again, take their time on a busy machine.
  test: { name: "registry", include: ["{src,test}/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 60_000 },
});
