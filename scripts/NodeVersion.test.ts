import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Loads the guard under a faked Node version; returns output and exit code. */
const loadedOn = (version: string) => {
  const guard = new URL("./NodeVersion.js", import.meta.url).href;
  const script = `
    Object.defineProperty(process, "versions", { value: { node: ${JSON.stringify(version)} } });
    await import(${JSON.stringify(guard)});
    console.log("goes on");`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

test("a Node that is too old prints one sentence with what to run", () => {
  expect(loadedOn("20.20.2")).toEqual({
    status: 1,
    stdout: "",
    stderr:
      "Node 20.20.2 cannot run this; Node 24 comes with the install, which has not succeeded: " +
      "run `npx -y pnpm@12 install` and see what it says.\n",
  });
});

test.for(["24.0.0", "100.1.0", process.versions.node])("Node %s goes on", (version) => {
  expect(loadedOn(version)).toEqual({ status: 0, stdout: "goes on\n", stderr: "" });
});

test.for(["start", "check", "test"])("pnpm %s asks before it runs TypeScript", (verb) => {
  const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    scripts: Record<string, string>;
  };
  expect(scripts[verb]).toMatch(/^node --import \.\/scripts\/NodeVersion\.js scripts\/\w+\.ts$/);
});
