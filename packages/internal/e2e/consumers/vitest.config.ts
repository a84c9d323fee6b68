import { defineProject } from "vitest/config";

export default defineProject({
  test: {
    name: "consumers",
    include: ["test/**/*.test.ts"],
    globalSetup: "src/GlobalSetup.ts",
    // Packing and installing wait for the disk, and for a registry where no cache has the dependencies yet.
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
});
