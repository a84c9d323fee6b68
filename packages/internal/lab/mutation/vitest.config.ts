// The tests of one target, for the runner of mutants; main.ts names them.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: JSON.parse(process.env["MUTATION_TESTS"] ?? "[]") as Array<string>, testTimeout: 60_000 },
});
