import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { createIdentities, maxIdentities, tokenOf, type Identity } from "./Identity.ts";
import { decryptEntry, encryptEntry, type Entry } from "./Entry.ts";

const identities = createIdentities();
const seal = (key: string, entry: Entry, { key: secret }: Identity) => encryptEntry(key, entry, secret);
const open = (key: string, bytes: ArrayBuffer, identity: Identity) =>
  decryptEntry(key, bytes, identity.key, identity.digest);

test("a sealed entry opens for its token and its key, as it was", async () => {
  const identity = await identities.of("alice");
  const headers = [["etag", '"up"']] as const;
  const entry = entryWith({ owner: identity.digest, headers, bytes: crypto.getRandomValues(new Uint8Array(10_000)) });
  const opened = await open("key", (await seal("key", entry, identity)).buffer, identity);
  expect(opened).toEqual(entry);
});

test("it opens for no other token, under no other key, and not when a byte was changed", async () => {
  const alice = await identities.of("alice");
  const bob = await identities.of("bob");
  const sealed = await seal("key", entryWith({ owner: alice.digest }), alice);
  expect(await open("key", sealed.buffer, bob)).toBeUndefined();
  expect(await open("other", sealed.buffer, alice)).toBeUndefined();
  const changed = Uint8Array.from(sealed, (byte, index) => (index === 40 ? byte ^ 1 : byte));
  expect(await open("key", changed.buffer, alice)).toBeUndefined();
  expect(await open("key", new ArrayBuffer(5), alice)).toBeUndefined();
});

test("what is sealed shows nothing of the answer, and never looks the same twice", async () => {
  const identity = await identities.of("alice");
  const entry = entryWith({ owner: identity.digest, bytes: new TextEncoder().encode("the secret of alice") });
  const [first, second] = await Promise.all([seal("key", entry, identity), seal("key", entry, identity)]);
  const text = new TextDecoder("latin1").decode(first);
  expect(text).not.toContain("secret");
  expect(text).not.toContain("zipper");
  expect(first).not.toEqual(second);
});

test("identities are remembered, distinguished by the whole token, and bounded", async () => {
  expect(await identities.of("alice")).toBe(await identities.of("alice"));
  const [a, b] = [await identities.of("token-a"), await identities.of("token-b")];
  expect(a.digest).not.toBe(b.digest);
  expect(a.digest).not.toContain("token");
  const many = createIdentities();
  const first = await many.of("first");
  for (let index = 0; index < maxIdentities; index++) await many.of(`t${index}`);
  expect(many.recall("first")).toBeUndefined();
  expect((await many.of("first")).digest).toBe(first.digest);
});

test.each([
  ["abc", "abc"],
  ["Bearer abc", "abc"],
  ["Bearer", undefined],
])("the token in %j is %j", (authorization, token) => {
  expect(tokenOf(authorization)).toBe(token);
});

test("a server secret changes digest and key, and the previous one still opens what it closed", async () => {
  const before = await createIdentities(["first-secret-0123"]).of("alice");
  const after = await createIdentities(["second-secret-012", "first-secret-0123"]).of("alice");
  const plain = await identities.of("alice");
  expect(new Set([before.digest, after.digest, plain.digest]).size).toBe(3);
  expect(after.previous?.digest).toBe(before.digest);
  const entry = entryWith({ owner: before.digest });
  const encrypted = await seal("key", entry, before);
  expect(await open("key", encrypted.slice().buffer, after)).toBeUndefined();
  const { previous } = after;
  const opened = previous && (await decryptEntry("key", encrypted.buffer, previous.key, before.digest));
  expect(opened).toEqual(entry);
});
