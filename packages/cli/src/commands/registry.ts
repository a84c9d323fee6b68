// Runs and fills a local registry.
import { runRegistry } from "@bytenite-engines/registry/command";
import type { Invocation } from "../Invocation.ts";

export const run = (invocation: Invocation): Promise<number> => runRegistry(invocation.arguments.passedOn);
