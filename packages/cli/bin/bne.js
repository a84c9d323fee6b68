#!/usr/bin/env node
// Entry of bne, in syntax that old versions of Node read.

// Client commands run on Node 20; `bne registry` needs `node:sqlite` with authorizers.
var isRegistry = process.argv[2] === "registry";
var isHelp = process.argv.indexOf("--help") > 0 || process.argv.indexOf("-h") > 0;
var version = process.versions.node.split(".").map(Number);
var isTooOld =
  isRegistry && !isHelp
    ? version[0] < 24 || (version[0] === 24 && version[1] < 10)
    : process.getBuiltinModule === undefined;
if (isTooOld) {
  var wanted = isRegistry ? "bne registry needs Node 24.10" : "bne needs Node 20.16";
  process.stderr.write(wanted + " or later; this is Node " + process.versions.node + ".\n");
  process.exitCode = 2;
} else {
  // A registry that is starting must not end by the signal that reopens its log. It listens itself once it is loaded.
  var word = process.argv[3];
  if (isRegistry && process.platform !== "win32" && (word === undefined || word === "serve" || word[0] === "-")) {
    process.on("SIGHUP", function () {});
  }
  import("../dist/main.js").then(
    function (main) {
      return main.main(process.argv.slice(2));
    },
    function (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
      process.stderr.write("bne is not built yet; run `npx -y pnpm@12 build` in its repository first.\n");
      process.exitCode = 1;
    },
  );
}
