import { expect, test } from "vitest";
import { maxPageBytes, pageOf, paginationOf } from "./Page.ts";

test.for([
  [undefined, { limit: 20, offset: 0 }],
  [
    { limit: 0, offset: 3 },
    { limit: 20, offset: 3 },
  ],
  [
    { limit: 1, offset: 0 },
    { limit: 1, offset: 0 },
  ],
  [
    { limit: 1_000, offset: 0 },
    { limit: 1_000, offset: 0 },
  ],
  [
    { limit: 1_001, offset: 0 },
    { limit: 1_000, offset: 0 },
  ],
] as const)("%j asks for the page %j", ([request, page]) => {
  expect(pageOf(request)).toEqual(page);
});

test("a page has at most 8 MiB", () => {
  expect(maxPageBytes).toBe(8_388_608);
});

test.for([
  [0, 0, 0, false, false],
  [0, 1, 1, false, false],
  [0, 1, 2, false, true],
  [1, 1, 2, true, false],
  [1, 1, 3, true, true],
  [5, 0, 3, true, false],
  // Rows that are there, but were not given.
  [0, 0, 3, false, false],
] as const)("from %i, %i of %i rows", ([offset, count, total, hasPrevious, hasNext]) => {
  expect(paginationOf({ limit: 10, offset }, count, total)).toEqual({ total, offset, hasPrevious, hasNext });
});
