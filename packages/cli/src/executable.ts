// Entry of the single executable.

/** Of Node's module `node:sea`, which its types do not have yet. */
interface Sea {
  readonly getAsset: (name: string, encoding: "utf8") => string;
  readonly getRawAsset: (name: string) => ArrayBuffer;
}

const sea = process.getBuiltinModule("node:sea" as "node:module") as unknown as Sea;
const { Script } = process.getBuiltinModule("node:vm");
const script = new Script(sea.getAsset("main.js", "utf8"), {
  filename: "bne",
  // Of another Node it would be refused, and compiled anew.
  cachedData: Buffer.from(sea.getRawAsset("main.cache")),
});
const load = script.runInThisContext() as (
  require: NodeJS.Require,
  exports: object,
  file: string,
  folder: string,
) => void;
const loaded: { main?: (argv: ReadonlyArray<string>) => Promise<void> } = {};
load(require, loaded, "/bne", "/");
void loaded.main?.(process.argv.slice(2));
