import * as fc from "fast-check";
import { expect, test } from "vitest";
import { maxNameLength, compareVersions, parseTag, parseVersion } from "./EngineTag.ts";

const names = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const numbers = fc.integer({ min: 0, max: 999_999_999 });
const versions = fc.record({ major: numbers, minor: numbers });

test("a tag is read as it was written", () => {
  fc.assert(
    fc.property(names, fc.option(numbers), fc.option(numbers), (name, major, minor) => {
      const version = major === null ? "" : `@${major}${minor === null ? "" : `.${minor}`}`;
      expect(parseTag(name + version)).toEqual({
        name,
        ...(major === null ? {} : { major, ...(minor === null ? {} : { minor }) }),
      });
    }),
  );
});

test.for([
  "",
  "@1",
  "a@",
  "a@1.",
  "a@.1",
  "a@1.2.3",
  "a@01",
  "a@1.02",
  "a@-1",
  "a@1e2",
  "a b",
  "ä",
  "a/b",
  "a@1234567890",
  "a\n",
  "x".repeat(65),
])("%j is not a tag", (text) => {
  expect(parseTag(text)).toBeUndefined();
});

test("0.10 is later than 0.9, and 1.0 later than both", () => {
  const sorted = ["1.0", "0.9", "0.10"].toSorted((a, b) => {
    const [first, second] = [parseVersion(a), parseVersion(b)];
    return first && second ? compareVersions(first, second) : Number.NaN;
  });
  expect(sorted).toEqual(["0.9", "0.10", "1.0"]);
});

test("versions have a total order: by major, then by minor", () => {
  fc.assert(
    fc.property(versions, versions, (a, b) => {
      // One number holds both only without loss: 10^18 is beyond 2^53.
      const [one, other] = [a, b].map(({ major, minor }) => BigInt(major) * 1_000_000_000n + BigInt(minor));
      const expected = (one ?? 0n) < (other ?? 0n) ? -1 : one === other ? 0 : 1;
      expect(Math.sign(compareVersions(a, b))).toBe(expected);
      expect(Math.sign(compareVersions(a, { ...b, major: a.major }))).toBe(Math.sign(a.minor - b.minor));
      expect(parseVersion(`${a.major}.${a.minor}`)).toEqual(a);
    }),
    {
      examples: [
        [
          { major: 999_999_999, minor: 1 },
          { major: 999_999_999, minor: 2 },
        ],
      ],
    },
  );
});

test.for(["", "1", "1.", ".1", "1.2.3", "v1.2", "1.2 "])("%j is not a version", (text) => {
  expect(parseVersion(text)).toBeUndefined();
});

test("a name has as many characters as is said of it", () => {
  expect(parseTag("a".repeat(maxNameLength))?.name).toHaveLength(64);
  expect(parseTag("a".repeat(maxNameLength + 1))).toBeUndefined();
});
