import { createHash } from "node:crypto";
import { expect, onTestFinished, test, vi } from "vitest";
import { digestOf, newSecret, sameDigest } from "./Digest.ts";
import { KeyError, makeSecretBox } from "./SecretBox.ts";

const key = "0123456789abcdef0123456789abcdef";

test("a sealed secret opens in its place with its key, and nowhere else", async () => {
  const box = await makeSecretBox(key);
  const sealed = await box.seal("hunter2", "carol/zipper@0.1");
  expect(await box.open(sealed, "carol/zipper@0.1")).toBe("hunter2");
  await expect(box.open(sealed, "dave/zipper@0.1")).rejects.toThrow(Error);
  await expect((await makeSecretBox(`${key}!`)).open(sealed, "carol/zipper@0.1")).rejects.toThrow(KeyError);
  const altered = Uint8Array.from(sealed, (byte, index) => (index === sealed.length - 1 ? byte ^ 1 : byte));
  await expect(box.open(altered, "carol/zipper@0.1")).rejects.toThrow(Error);
});

test("the same secret is sealed differently each time", async () => {
  const box = await makeSecretBox(key);
  expect(await box.seal("hunter2", "x")).not.toEqual(await box.seal("hunter2", "x"));
});

test("no box is made without a key: what it seals could be opened by nobody later", async () => {
  await expect(makeSecretBox(undefined as unknown as string)).rejects.toThrow(TypeError);
});

test("a short key is refused without being shown", async () => {
  await expect(makeSecretBox("short-key")).rejects.toThrow(KeyError);
  await expect(makeSecretBox("short-key")).rejects.not.toThrow("short-key");
});

test("digests are equal for equal secrets only, and a prefix is not enough", async () => {
  const [a, again, b] = [await digestOf("a"), await digestOf("a"), await digestOf("b")];
  expect(sameDigest(a.bytes, again.bytes)).toBe(true);
  expect(sameDigest(a.bytes, b.bytes)).toBe(false);
  expect(sameDigest(a.bytes, a.bytes.slice(0, 31))).toBe(false);
  expect(sameDigest(a.bytes.slice(0, 31), a.bytes)).toBe(false);
  for (const place of [0, 31]) {
    expect(sameDigest(a.bytes, a.bytes.with(place, (a.bytes[place] as number) ^ 1))).toBe(false);
  }
  expect(newSecret("bnt")).toMatch(/^bnt_[0-9a-f]{64}$/);
  expect(newSecret("bnt")).not.toBe(newSecret("bnt"));
});

test("a digest is found by its first 16 digits, however long the secret is", async () => {
  for (const secret of ["a", "b".repeat(1_024), "c".repeat(1_025)]) {
    const hash = createHash("sha256").update(secret).digest();
    expect(await digestOf(secret)).toEqual({
      selector: hash.toString("hex").slice(0, 16),
      bytes: new Uint8Array(hash),
    });
  }
});

test("a secret of up to 1,024 characters is hashed once", async () => {
  const hashed = vi.spyOn(crypto.subtle, "digest");
  onTestFinished(() => hashed.mockRestore());
  for (const [secret, times] of [
    ["d".repeat(1_024), 1],
    ["d".repeat(1_025), 2],
  ] as const) {
    hashed.mockClear();
    for (const _ of [1, 2]) await digestOf(secret);
    expect(hashed).toHaveBeenCalledTimes(times);
  }
});

test("a key has 32 characters or more", async () => {
  await expect(makeSecretBox("k".repeat(31))).rejects.toThrow("at least 32 characters");
  const sealed = await (await makeSecretBox("k".repeat(32))).seal("hunter2", "x");
  // Nonce, text and tag of AES-GCM: boxes of earlier versions open in later ones.
  expect(sealed).toHaveLength(12 + 7 + 16);
});
