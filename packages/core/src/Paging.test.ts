import { create } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { endpoints } from "./Endpoint.ts";
import { nextPage } from "./Paging.ts";
import { listRequest, maxUint32, type ListParams } from "./Parameters.ts";

const response = endpoints.list.response;
const page = (count: number, hasNext: boolean) =>
  create(response, { engines: Array.from({ length: count }, () => ({})), pagination: { hasNext } });

test("pages of any sizes are walked without a gap or a repetition", () => {
  fc.assert(
    fc.property(
      fc.nat(50),
      fc.nat(10),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      (total, start, sizes) => {
        const seen: Array<number> = [];
        let params: ListParams | undefined = { offset: start, orderBy: "createdAt", limit: 100 };
        for (let turn = 0; params !== undefined; turn++) {
          expect(params).toMatchObject({ orderBy: "createdAt", limit: 100 });
          const offset = params.offset ?? 0;
          const count = Math.max(0, Math.min(sizes[turn % sizes.length] ?? 1, total - offset));
          for (let index = 0; index < count; index++) seen.push(offset + index);
          params = nextPage(params, page(count, offset + count < total));
        }
        expect(seen).toEqual(Array.from({ length: Math.max(0, total - start) }, (_, index) => start + index));
      },
    ),
  );
});

test("an empty page ends the walk, whatever it says of a next one", () => {
  expect(nextPage({}, page(0, true))).toBeUndefined();
  expect(nextPage({}, create(response, { engines: [{}] }))).toBeUndefined();
});

test("offset in its published place counts, and the short one wins over it", () => {
  expect(nextPage({ pagination: { offset: 10, limit: 5 } }, page(2, true))).toMatchObject({ offset: 12 });
  expect(nextPage({ offset: 1, pagination: { offset: 10 } }, page(2, true))).toMatchObject({ offset: 3 });
  expect(listRequest({ limit: 3, pagination: { limit: 5, offset: 7 } })).toMatchObject({
    pagination: { limit: 3, offset: 7 },
  });
});

test.for([-1, 1.5, Number.NaN, Infinity, maxUint32 + 1])("a limit or offset of %d is refused by name", (value) => {
  expect(listRequest({ limit: value })).toMatchObject({
    problem: expect.stringMatching(/^limit must be a whole number/),
  });
  expect(listRequest({ offset: value })).toMatchObject({
    problem: expect.stringMatching(/^offset must be a whole number/),
  });
});
