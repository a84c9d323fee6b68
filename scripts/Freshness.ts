// Decides: whether the committed generated code is what the generators write. Needs no clean tree, and no git.
import { createHash } from "node:crypto";
import { globSync, readFileSync, statSync } from "node:fs";
import { CommandError, quietly } from "./Step.ts";

/** All files that `pnpm generate` writes. */
const generatedFiles = ["{packages,apps}/*/src/gen/**/*", "packages/cli/man/*", "packages/cli/REFERENCE.md"];

const snapshot = (): ReadonlyMap<string, string> =>
  new Map(
    globSync(generatedFiles)
      .filter((file) => statSync(file).isFile())
      .toSorted()
      .map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]),
  );

/** Runs the generators and fails when that changed, added or removed a file. The fresh files stay. */
export const checkGenerated = async (): Promise<void> => {
  const before = snapshot();
  await quietly("turbo", ["run", "generate"]);
  const after = snapshot();
  const stale = [...new Set([...before.keys(), ...after.keys()])].filter(
    (file) => before.get(file) !== after.get(file),
  );
  if (stale.length > 0) {
    throw new CommandError("pnpm generate", `changed ${stale.length} files; commit them`, stale.join("\n"));
  }
};
