import { expect, test } from "vitest";
import { makeShares } from "./Shares.ts";

/** Tasks that are begun by a share, in their order, and end when they are told to. */
const makeTasks = (most: number) => {
  const share = makeShares(most);
  const begun: Array<string> = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  return {
    begun,
    run: (name: string): Promise<string> => {
      const end = Promise.withResolvers<string>();
      ends.set(name, end);
      return share(name.charAt(0), () => {
        begun.push(name);
        return end.promise;
      });
    },
    end: (name: string) => ends.get(name)?.resolve(`end of ${name}`),
    fail: (name: string) => ends.get(name)?.reject(new Error(`failure of ${name}`)),
  };
};

test("so many tasks run at once, and those that wait begin round robin by client, each client's in their order", async () => {
  const { begun, run, end } = makeTasks(2);
  const names = ["a1", "a2", "a3", "a4", "a5", "b1", "b2", "c1"];
  const results = names.map((name) => run(name));
  const order = ["a1", "a2", "a3", "b1", "c1", "a4", "b2", "a5"];
  for (const [index, name] of order.entries()) {
    await expect.poll(() => begun).toEqual(order.slice(0, index + 2));
    end(name);
  }
  expect(await Promise.all(results)).toEqual(names.map((name) => `end of ${name}`));
});

test("a task that fails rejects, and another one takes its place", async () => {
  const { begun, run, end, fail } = makeTasks(1);
  const [first, second] = [run("a1"), run("a2")];
  fail("a1");
  await expect(first).rejects.toThrow("failure of a1");
  end("a2");
  expect(await second).toBe("end of a2");
  expect(begun).toEqual(["a1", "a2"]);
});
