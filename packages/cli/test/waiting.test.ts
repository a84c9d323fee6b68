import { expect, test } from "vitest";
import { resultOf } from "@bytenite-engines/test-kit/process";
import { as, bne, startBne } from "./Bne.ts";
import { trial } from "./Trial.ts";

const { registry, home, alice } = await trial();
const env = as(registry, "alice");

/** Milliseconds that a call took. */
const timed = async <T>(call: Promise<T>): Promise<readonly [result: T, ms: number]> => {
  const began = performance.now();
  return [await call, performance.now() - began];
};

test("watch and wait end in their time against a server that is mute, with 5", async () => {
  registry.faults.set([{ fault: { silent: true } }]);
  for (const args of [
    ["watch", "zipper", "--timeout", "300ms"],
    ["watch", "--timeout", "300ms"],
    ["wait", "zipper", "--timeout", "300ms"],
  ]) {
    const [{ code, stderr }, ms] = await timed(bne(home, args, { env }));
    expect({ args, code }).toEqual({ args, code: 5 });
    expect(stderr).toMatch(/No answer from 127\.0\.0\.1:\d+/);
    expect(ms).toBeLessThan(3_000);
  }
});

test("wait leaves each look its deadline: a slow answer counts", async () => {
  registry.faults.set([{ fault: { latencyMs: 200 } }]);
  expect(await alice("wait", "zipper", "--for", "exists", "--timeout", "5s")).toMatchObject({ code: 0 });
  registry.faults.clear();
});

test("a server that is not there is 5, not a condition that is not met", async () => {
  const nowhere = { ...env, BYTENITE_BASE_URL: "http://127.0.0.1:9/v1/dev" };
  for (const args of [
    ["wait", "zipper", "--timeout", "300ms", "--interval", "50ms"],
    ["watch", "zipper", "--timeout", "300ms", "--interval", "50ms"],
  ]) {
    const { code, stderr } = await bne(home, args, { env: nowhere });
    expect({ args, code }).toEqual({ args, code: 5 });
    expect(stderr.match(/Nothing listens at 127\.0\.0\.1:9/g)).toHaveLength(1);
    expect(stderr).not.toContain("not active");
  }
});

test("a server that goes away while watch watches is 5 at the end", async () => {
  const child = startBne(home, ["watch", "zipper", "--interval", "30ms", "--timeout", "600ms"], { env });
  const result = resultOf(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  registry.faults.set([{ fault: { status: 503 } }]);
  expect((await result).code).toBe(5);
});

test("wait knows the statuses, and takes any other word behind =", async () => {
  const typo = await alice("wait", "zipper", "--for", "actve");
  expect(typo.code).toBe(2);
  expect(typo.stderr).toContain("Did you mean active?");
  expect((await alice("wait", "zipper", "--for", "building")).stderr).toContain("--for =building");
  await registry.publish("alice", { name: "odd", version: "1.0", status: "building" });
  expect((await alice("wait", "odd", "--for", "=building")).code).toBe(0);
  expect((await alice("wait", "odd", "--for", "!=active")).code).toBe(0);
  for (const [tag, wanted, said] of [
    ["zipper", "!=active", "bne: zipper is still active after 400 ms\n"],
    ["nobody", "exists", "bne: nobody does not exist after 400 ms\n"],
  ] as const) {
    const { code, stderr } = await alice("wait", tag, "--for", wanted, "--timeout", "400ms", "--interval", "200ms");
    expect({ code, stderr }).toEqual({ code: 7, stderr: expect.stringContaining(said) as unknown });
  }
});

test("wait takes several tags", async () => {
  const both = await alice("wait", "zipper", "fanout-urls", "-o", "json");
  expect(both.code).toBe(0);
  expect((JSON.parse(both.stdout) as Array<{ engineTag: string }>).map(({ engineTag }) => engineTag)).toEqual([
    "zipper@0.1",
    "fanout-urls@0.5",
  ]);
  await registry.publish("alice", { name: "sleeper", version: "1.0", status: "inactive" });
  const one = await alice("wait", "zipper", "sleeper", "--timeout", "1s", "--interval", "200ms");
  expect(one.code).toBe(7);
  expect(one.stderr).toContain("sleeper is inactive, not active, after 1 s");
  expect(one.stderr).not.toContain("zipper is");
});

test("wait for exists and for deleted, and what can no longer happen ends it at once", async () => {
  const appears = startBne(home, ["wait", "newcomer", "--for", "exists", "--interval", "20ms", "--trace"], { env });
  const appeared = resultOf(appears);
  await new Promise((resolve) => appears.stderr.once("data", resolve));
  await registry.publish("alice", { name: "newcomer", version: "1.0", status: "inactive" });
  expect((await appeared).code).toBe(0);
  const goes = startBne(home, ["wait", "newcomer", "--for", "deleted", "--interval", "20ms", "--trace"], { env });
  const gone = resultOf(goes);
  const never = startBne(home, ["wait", "newcomer", "--for", "active", "--interval", "20ms", "--trace"], { env });
  const impossible = resultOf(never);
  await Promise.all([goes, never].map((child) => new Promise((resolve) => child.stderr.once("data", resolve))));
  registry.change("alice", "newcomer", "delete");
  expect((await gone).code).toBe(0);
  expect((await impossible).code).toBe(3);
  expect((await alice("wait", "newcomer", "--for", "deleted", "-o", "json", "--jq", ".engineStatus")).stdout).toBe(
    "deleted\n",
  );
});
