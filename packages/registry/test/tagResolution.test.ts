import * as fc from "fast-check";
import { expect, test } from "vitest";
import { openSqlite } from "../src/node/SqliteFile.ts";
import { migrate } from "../src/api/Migrations.ts";
import { readStatus, type User } from "../src/api/EngineStore.ts";
import { ensureUser } from "../src/manage/Accounts.ts";
import { change, publishAll } from "../src/manage/Engines.ts";

interface Version {
  readonly owner: "alice" | "bob";
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  readonly isPublic: boolean;
  readonly fate: "active" | "inactive" | "deleted";
}

const anyVersion: fc.Arbitrary<Version> = fc.record({
  owner: fc.constantFrom("alice", "bob"),
  name: fc.constantFrom("a", "b"),
  major: fc.constantFrom(0, 1, 9, 10),
  minor: fc.constantFrom(0, 1, 2, 9, 10, 11, 100),
  isPublic: fc.boolean(),
  fate: fc.constantFrom("active", "active", "inactive", "deleted"),
});

const anyVersions = fc.uniqueArray(anyVersion, {
  maxLength: 20,
  selector: ({ owner, name, major, minor }) => `${owner} ${name}@${major}.${minor}`,
});

const anyTag = fc.record({
  name: fc.constantFrom("a", "b", "c"),
  major: fc.option(fc.constantFrom(0, 1, 9, 10, 11), { nil: undefined }),
  minor: fc.option(fc.constantFrom(0, 1, 2, 9, 10, 11, 100), { nil: undefined }),
});

type Tag = { readonly name: string; readonly major: number | undefined; readonly minor: number | undefined };

/** What a tag means, as simply as possible. */
const meant = (all: ReadonlyArray<Version>, asker: string, tag: Tag): Version | undefined => {
  const fits = all.filter(
    ({ name, major, minor, fate }) =>
      fate !== "deleted" &&
      name === tag.name &&
      (tag.major === undefined || major === tag.major) &&
      (tag.major === undefined || tag.minor === undefined || minor === tag.minor),
  );
  const own = fits.filter(({ owner }) => owner === asker);
  const candidates = own.length > 0 ? own : fits.filter(({ isPublic }) => isPublic);
  return candidates.toSorted((a, b) => b.major - a.major || b.minor - a.minor)[0];
};

test("a tag means what the naive model says, for any versions, owners and fates", async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const users: Record<string, User> = { alice: ensureUser(file, "alice", 0), bob: ensureUser(file, "bob", 0) };
  const check = async (all: ReadonlyArray<Version>, asker: "alice" | "bob", tag: Tag): Promise<void> => {
    file.transaction((run) => run("DELETE FROM engines"));
    for (const { owner, name, major, minor, isPublic, fate } of all) {
      const user = users[owner] as User;
      const version = `${major}.${minor}`;
      await publishAll(file, user, [{ name, version, isPublic, status: fate }], undefined, 0);
      if (fate === "deleted") change(file, user, `${name}@${version}`, "delete", 0);
    }
    const { name, major, minor } = tag;
    const wanted = major === undefined ? { name } : minor === undefined ? { name, major } : { name, major, minor };
    const found = await readStatus(file.port, users[asker] as User, wanted).catch(() => undefined);
    const expected = meant(all, asker, tag);
    expect(found === undefined ? undefined : [found.tag, found.status]).toEqual(
      expected === undefined ? undefined : [`${expected.name}@${expected.major}.${expected.minor}`, expected.fate],
    );
  };
  await fc.assert(fc.asyncProperty(anyVersions, fc.constantFrom("alice", "bob"), anyTag, check), { numRuns: 500 });
  file.close();
});
