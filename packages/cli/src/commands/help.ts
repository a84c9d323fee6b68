// Shows help for a command.
import { showHelp } from "../Help.ts";
import type { Invocation } from "../Invocation.ts";

export const run = async (invocation: Invocation): Promise<number> => showHelp(invocation.arguments.positionals);
