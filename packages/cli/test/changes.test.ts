import { expect, test } from "vitest";
import { as, startBne } from "./Bne.ts";
import { trial } from "./Trial.ts";

const { registry, home, alice, bob } = await trial();

test("wait ends with 0 once the status is there, also when it comes later", async () => {
  await registry.publish("alice", { name: "slow", version: "1.0", status: "inactive" });
  const child = startBne(home, ["wait", "slow", "--interval", "50ms", "--timeout", "30s", "--trace"], {
    env: as(registry, "alice"),
  });
  const done = (async () => {
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    const code = await new Promise((resolve) => child.on("close", resolve));
    return { code, stdout };
  })();
  await new Promise((resolve) => child.stderr.once("data", resolve));
  registry.change("alice", "slow", "activate");
  const { code, stdout } = await done;
  expect(code).toBe(0);
  expect(stdout).toMatch(/engineStatus {2}active/);
});

test("wait ends with 7 when the time is over, and with 3 when there is no such engine", async () => {
  const over = await alice("wait", "zipper", "--for", "inactive", "--timeout", "1s", "--interval", "200ms");
  expect(over).toMatchObject({ code: 7, stdout: "" });
  expect(over.stderr).toMatch(/zipper is active, not inactive, after 1 s/);
  expect((await alice("wait", "nothing", "--timeout", "5s")).code).toBe(3);
});

test("watch prints changes as NDJSON", async () => {
  await registry.publish("bob", { name: "blinker", version: "1.0", status: "inactive" });
  const child = startBne(home, ["watch", "blinker", "--interval", "30ms"], { env: as(registry, "bob") });
  const events: Array<{ event: string; tag: string; fields: Array<string>; engine: { status: string } }> = [];
  let rest = "";
  for await (const chunk of child.stdout.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) events.push(JSON.parse(line) as (typeof events)[number]);
    if (events.length === 1) registry.change("bob", "blinker", "activate");
    if (events.length === 2) registry.change("bob", "blinker", "delete");
    if (events.length === 3) child.kill("SIGINT");
  }
  expect(events.map(({ event }) => event)).toEqual(["added", "changed", "removed"]);
  expect(events[1]?.fields).toEqual(["status", "updatedAt"]);
  expect(events[1]?.engine.status).toBe("active");
});

test("watch says which engine is not there yet, once", async () => {
  const { code, stdout, stderr } = await alice("watch", "zippper", "zipper", "--interval", "200ms", "--timeout", "1s");
  expect({ code, events: stdout.trimEnd().split("\n").length }).toEqual({ code: 0, events: 1 });
  expect(stderr).toBe("zippper is not there yet. `bne list` shows the engines there are.\n");
});

test("diff prints the fields that differ, with 7, and 0 when there are none", async () => {
  const { code, stdout } = await bob("diff", "word-count@0.9", "word-count@0.10", "--output", "json");
  expect(code).toBe(7);
  const { differences, equal } = JSON.parse(stdout) as { differences: Array<{ field: string }>; equal: boolean };
  expect(equal).toBe(false);
  expect(differences.map(({ field }) => field)).toContain("platformConfig.container");
  expect(differences.map(({ field }) => field)).not.toContain("version");
  const everything = await bob("diff", "word-count@0.9", "word-count@0.10", "--everything", "-o", "name");
  expect(everything.stdout.split("\n")).toContain("version");
  expect((await bob("diff", "word-count", "word-count@0.10")).code).toBe(0);
});
