// Concurrent requests of several users to one client in a Worker.
import { beforeEach, afterEach, describe, expect, test } from "vitest";
import { startStage, type Stage } from "../src/sharedClient/stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.stop());

/** Sends all of them at the same time, and lets the API answer once they are there. */
const together = async (paths: ReadonlyArray<string>) => {
  const { arrived } = stage.api.counts;
  stage.api.close();
  const asked = paths.map((path) => stage.ask(path));
  await stage.arrived(arrived + paths.length);
  await stage.asked();
  stage.api.open();
  return Promise.all(asked);
};

const repeated = (path: string, times: number): ReadonlyArray<string> => Array.from({ length: times }, () => path);

describe.each(["promise", "effect"])("a shared client of the %s entry", (entry) => {
  test("answers 18 concurrent requests for one tag, and asks the API fewer times", async () => {
    const answers = await together(repeated(`${entry}/none/nobody/zipper`, 18));
    expect(answers).toEqual(repeated("", 18).map(() => ({ status: 200, name: "zipper", owner: "" })));
    expect(stage.api.counts.engines).toBeLessThan(9);
  });

  test.each(["function", "middleware"])("gives each user their own engine, with a token by %s", async (credential) => {
    const users = ["alice", "bob", "alice", "bob", "carol", "alice"];
    const answers = await together(users.map((user) => `${entry}/${credential}/${user}/zipper`));
    expect(answers.map(({ owner, error }) => error ?? owner)).toEqual(users.map((user) => `token-of-${user}`));
    const again = await together(users.toReversed().map((user) => `${entry}/${credential}/${user}/zipper`));
    expect(again.map(({ owner }) => owner)).toEqual(users.toReversed().map((user) => `token-of-${user}`));
  });

  test("gives each user the token of their own API key", async () => {
    const users = ["alice", "bob", "alice", "bob"];
    const answers = await together(users.map((user) => `${entry}/api-key-of-user/${user}/zipper`));
    expect(answers.map(({ owner, error }) => error ?? owner)).toEqual(users.map((user) => `token-for-key-of-${user}`));
    expect(await stage.ask(`${entry}/api-key-of-user/bob/zipper`)).toMatchObject({ owner: "token-for-key-of-bob" });
    expect(stage.api.counts.exchanges).toBe(2);
  });

  test("exchanges one API key for all that wait for it", async () => {
    const answers = await together(repeated(`${entry}/api-key/nobody/zipper`, 6));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(stage.api.counts.exchanges).toBeLessThan(6);
  });

  test.each(["none", "api-key"])(
    "outlives a request that was given up while others waited for what it fetches (%s)",
    async (credential) => {
      const path = `${entry}/${credential}/nobody/zipper`;
      const leader = stage.askAndAbort(path);
      await stage.arrived(1);
      await stage.asked();
      const followers = repeated(path, 5).map((each) => stage.ask(each));
      await stage.arrived(6);
      stage.api.abort();
      expect(await leader).toBe("aborted");
      stage.api.open();
      expect((await Promise.all(followers)).map(({ name, error }) => error ?? name)).toEqual(repeated("zipper", 5));
      expect(await stage.ask(path)).toMatchObject({ status: 200, name: "zipper" });
    },
  );
});
