// Bundler plugins for lean modules: reduced Node built-ins, lazily loaded parts.
import type { Plugin } from "rolldown";

/**
 * `import ... from "node:http"` makes Node evaluate every export, the getters too, and one of them loads all of `fetch`: 30 ms
 * of CPU for nothing. Taken from the module object, only what is used is evaluated, and what loads `fetch` is not there where the
 * whole module is used.
 */
export const leanBuiltins: Plugin = {
  name: "lean-builtins",
  // Each file that imports it statically has its own copy, with only the names that it uses. Not for the bundler's runtime: its chunk must not depend
  // on others.
  resolveId: (id, importer = "", { kind }) =>
    !id.startsWith("node:") || importer.includes("rolldown/runtime")
      ? null
      : `\0${id}?${kind === "dynamic-import" ? "" : importer.replace("\0", "")}`,
  load: (id) => {
    if (!id.startsWith("\0node:")) return null;
    const [name = ""] = id.slice(1).split("?");
    const names = Object.keys(process.getBuiltinModule(name) ?? {}).filter((key) =>
      /^(?!(?:default|WebSocket|CloseEvent|MessageEvent)$)[A-Za-z_$][\w$]*$/.test(key),
    );
    return [
      `const builtin = process.getBuiltinModule(${JSON.stringify(name)});`,
      "export default builtin;",
      ...names.map((key) => `const $${key} = builtin.${key};\nexport { $${key} as ${key} };`),
    ].join("\n");
  },
};

/** Replaces a text that must be there. */
export const replaced = (code: string, from: string, to: string, id: string): string => {
  if (!code.includes(from)) throw new Error(`${id} has no ${JSON.stringify(from)} any more`);
  return code.replaceAll(from, () => to);
};

/** `string-width` goes into the bundle, and still runs at the first text that needs it. */
export const lateWidth: Plugin = {
  name: "late-width",
  transform: (code, id) =>
    // Not the copy of a module of Node that is named after it.
    !id.startsWith("\0") && id.endsWith("/cli/src/terminal/Width.ts")
      ? { code: replaced(code, "createRequire(import.meta.url)(", "require(", id), map: null }
      : null,
};
