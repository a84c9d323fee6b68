// Import threads in the bundle.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bne, makeHome } from "./Bne.ts";

/** Prints each answer and each failure of a thread on stderr. */
const telling = `
process.on("worker", (thread) => {
  thread.once("message", () => process.stderr.write("a thread answered\\n"));
  thread.on("error", ({ message }) => process.stderr.write(message + "\\n"));
});
`;

test("bne prepares a long import in threads of its own", async () => {
  using home = makeHome();
  const lines = Array.from({ length: 6_000 }, (_, index) => `{"name":"engine-${index}","version":"0.1"}\n`);
  const args = ["registry", "import", "-", "--user", "carol", "--database", join(home.path, "registry.db")];
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(telling)}` };
  expect(await bne(home, args, { env, input: lines.join("") })).toEqual({
    code: 0,
    stdout: "",
    stderr: `${"a thread answered\n".repeat(Math.min(2, availableParallelism()))}imported 6000 engines\n`,
  });
});
