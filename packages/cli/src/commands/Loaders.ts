// Implementations of commands, loaded on demand.
import type { Command } from "../parse/Command.ts";
import type { Invocation } from "../Invocation.ts";

/** Runs a command; resolves to the exit code. */
export type Run = (invocation: Invocation) => Promise<number>;

/** Implementations by command words. */
export const loaderOf = ({ path }: Pick<Command, "path">): (() => Promise<Run>) | undefined =>
  path[0] === "registry" ? async () => (await import("./registry.ts")).run : loaders[path.join(" ")];

/** By command words. */
const loaders: Readonly<Record<string, () => Promise<Run>>> = {
  list: async () => (await import("./list.ts")).run,
  get: async () => (await import("./get.ts")).get,
  status: async () => (await import("./get.ts")).status,
  versions: async () => (await import("./get.ts")).versions,
  export: async () => (await import("./export.ts")).run,
  doctor: async () => (await import("./doctor.ts")).run,
  raw: async () => (await import("./raw.ts")).run,
  new: async () => (await import("./new.ts")).run,
  validate: async () => (await import("./push.ts")).validate,
  push: async () => (await import("./push.ts")).push,
  pull: async () => (await import("./pull.ts")).run,
  activate: async () => (await import("./change.ts")).activate,
  deactivate: async () => (await import("./change.ts")).deactivate,
  delete: async () => (await import("./change.ts")).remove,
  wait: async () => (await import("./wait.ts")).run,
  watch: async () => (await import("./watch.ts")).run,
  diff: async () => (await import("./diff.ts")).run,
  "auth login": async () => (await import("./auth.ts")).login,
  "auth status": async () => (await import("./auth.ts")).status,
  "auth logout": async () => (await import("./auth.ts")).logout,
  "auth token": async () => (await import("./auth.ts")).token,
  "profile list": async () => (await import("./profile.ts")).list,
  "profile use": async () => (await import("./profile.ts")).use,
  "profile set": async () => (await import("./profile.ts")).set,
  "profile remove": async () => (await import("./profile.ts")).remove,
  "config path": async () => (await import("./config.ts")).path,
  "config get": async () => (await import("./config.ts")).get,
  "config set": async () => (await import("./config.ts")).set,
  "cache clear": async () => (await import("./config.ts")).clear,
  commands: async () => (await import("./commands.ts")).run,
  version: async () => (await import("./commands.ts")).printVersion,
  completion: async () => (await import("./completion.ts")).run,
  help: async () => {
    const { showHelp } = await import("../parse/Help.ts");
    return async ({ arguments: { positionals } }) => showHelp(positionals);
  },
};
