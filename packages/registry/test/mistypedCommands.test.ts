import { expect, test } from "vitest";
import { run } from "./process.ts";

test("a mistyped command or flag is reported with the closest one", async () => {
  expect((await run(["imprt"])).stderr).toBe('registry: there is no command "imprt"\nDid you mean import?\n');
  expect((await run(["serve", "--prot", "1"])).stderr).toBe(
    "registry: Unknown option '--prot'\nDid you mean --port?\n",
  );
  expect((await run(["qqqqqqqq"])).stderr).toMatch(/\nSee registry --help\.\n$/);
});

test("failures are one object of JSON where that is asked for", async () => {
  const { code, stdout, stderr } = await run(["activate", "x", "--output", "json", "--usr", "alice"]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(JSON.parse(stderr)).toMatchObject({ error: { hint: "Did you mean --user?", exitCode: 2, reason: "Usage" } });
  const missing = await run(["users", "--output=json", "--database", "/no/such/x.sqlite"]);
  expect(missing.code).toBe(3);
  expect(JSON.parse(missing.stderr)).toMatchObject({ error: { exitCode: 3, reason: "Failed" } });
});
