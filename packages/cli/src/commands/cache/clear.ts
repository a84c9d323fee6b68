// Removes what was kept to be faster.
import { existsSync, rmSync } from "node:fs";
import { exitCodes } from "../../ExitCode.ts";
import type { Invocation } from "../../Invocation.ts";
import { FileError, reasonOf } from "../../settings/Files.ts";

export const run = async ({ directories, notes }: Invocation): Promise<number> => {
  const { cache } = directories;
  const there = existsSync(cache);
  try {
    rmSync(cache, { recursive: true, force: true });
  } catch (error) {
    throw new FileError(`Cannot remove ${cache}: ${reasonOf(error)}`, { cause: error });
  }
  notes.note(there ? `Removed ${cache}` : `There is nothing in ${cache}`);
  return exitCodes.ok;
};
