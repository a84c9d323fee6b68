// Comparison of committed generated files with the generators' output.
import { createHash } from "node:crypto";
import { globSync, readFileSync, statSync } from "node:fs";
import { CommandError, quietly } from "./Step.ts";

/** All that `pnpm generate` writes: the files of each task of turbo. */
const generated = {
  generate: ["{packages,apps}/*/src/gen/**/*", "packages/cli/package.json"],
  "api-report": ["packages/internal/e2e/consumers/api/**/*"],
} as const;

const snapshot = (files: ReadonlyArray<string>): ReadonlyMap<string, string> =>
  new Map(
    globSync(files)
      .filter((file) => statSync(file).isFile())
      .toSorted()
      .map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]),
  );

/** Runs the generators of a task and fails when that changed, added or removed a file. The fresh files stay. */
export const checkGenerated = async (task: keyof typeof generated): Promise<void> => {
  const before = snapshot(generated[task]);
  await quietly("turbo", ["run", task]);
  const after = snapshot(generated[task]);
  const stale = [...new Set([...before.keys(), ...after.keys()])].filter(
    (file) => before.get(file) !== after.get(file),
  );
  if (stale.length > 0) {
    throw new CommandError("pnpm generate", `changed ${stale.length} files; commit them`, stale.join("\n"));
  }
};
