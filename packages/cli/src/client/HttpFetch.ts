// The fetch of all commands.
import { nodeFetch } from "@bytenite-engines/core/node";

/** One for the process, so that its requests share connections. */
export const httpFetch = nodeFetch();
