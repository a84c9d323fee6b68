// Bundler plugin that imports only the used parts of Node's modules.
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
