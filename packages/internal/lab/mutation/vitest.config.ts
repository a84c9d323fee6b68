// Vitest configuration for the tests of one mutation target.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: JSON.parse(process.env["MUTATION_TESTS"] ?? "[]") as Array<string>, testTimeout: 60_000 },
});
