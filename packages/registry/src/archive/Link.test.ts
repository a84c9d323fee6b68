import { expect, test } from "vitest";
import { linkSeconds, makeLinks } from "./Link.ts";

const archive = "00000000-0000-4000-8000-000000000000";

test("a link has the form of earlier versions, and opens for ten minutes what it was made for", async () => {
  const links = await makeLinks("a key for tests, which is no secret");
  for (const [isOwners, link] of [
    [true, "expires=601&signature=mGmBJm2Yrk0u_5D5JgZaJzesEFZvS7gLxGw9BC5-LAA"],
    [false, "expires=601&for=public&signature=0ijrAssTmxSbOltzMGGCt8geyjhdeou8jLpuvC8P6Co"],
  ] as const) {
    const signed = await links.sign({ archive, isOwners }, 1_999);
    expect(signed).toBe(`/archives/${archive}?${link}`);
    const { pathname, searchParams } = new URL(signed, "http://registry.invalid");
    const endMs = (1 + linkSeconds) * 1_000;
    expect(await links.verify(pathname, searchParams, endMs - 1)).toEqual({ archive, isOwners });
    expect(await links.verify(pathname, searchParams, endMs)).toBeUndefined();
    const other = await makeLinks(undefined);
    expect(await other.verify(pathname, searchParams, 0)).toBeUndefined();
  }
});

test("without an operator's key links are those of one process", async () => {
  const [links, others] = [await makeLinks(undefined), await makeLinks(undefined)];
  const linked = { archive, isOwners: true };
  const { pathname, searchParams } = new URL(await links.sign(linked, 0), "http://registry.invalid");
  expect(await links.verify(pathname, searchParams, 0)).toEqual(linked);
  expect(await others.verify(pathname, searchParams, 0)).toBeUndefined();
});
