// Prints the completion script of a shell.
import { didYouMean } from "@bytenite-engines/core/wire";
import { UsageError } from "@bytenite-engines/registry/command";
import { completionScripts } from "../complete/Scripts.ts";
import { exitCodes } from "../Errors.ts";
import { positional, type Invocation } from "../Invocation.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const shell = positional(invocation, 0);
  const script = completionScripts.get(shell);
  if (script === undefined) {
    const shells = [...completionScripts.keys()];
    throw new UsageError(
      `There is no completion for ${JSON.stringify(shell)}`,
      didYouMean(shell, shells) ?? `There is: ${shells.join(", ")}.`,
    );
  }
  await invocation.stdout.write(script);
  return exitCodes.ok;
};
