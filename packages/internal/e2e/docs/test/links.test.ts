import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { brokenLinks, markdownFiles, oddAddresses } from "../src/Links.ts";
import { root } from "@bytenite-engines/test-kit";

test("every link of every Markdown file leads to a file and a heading that are there", async () => {
  const files = markdownFiles(root);
  expect(files).toEqual(expect.arrayContaining(["README.md", "docs/README.md", "packages/core/README.md"]));
  expect(files.filter((file) => file.includes("node_modules"))).toEqual([]);
  expect(await brokenLinks(root)).toBe("");
});

test("every address in them is one, and reached by HTTPS", () => {
  const odd = markdownFiles(root).flatMap((file) => oddAddresses(join(root, file)).map((url) => `${file}: ${url}`));
  expect(odd).toEqual([]);
});

test("a link to a missing file or heading is noticed, and so is an invalid address", async () => {
  const folder = mkdtempSync(join(tmpdir(), "links-"));
  try {
    mkdirSync(join(folder, "deep"));
    writeFileSync(join(folder, "a.md"), "# One\n\n[b](deep/b.md) [c](c.md) [two](#two) [in b](deep/b.md#nowhere)\n");
    writeFileSync(join(folder, "deep/b.md"), "# Bee\n\n[one](../a.md#one) <http://example.com> [x](https://)\n");
    const said = await brokenLinks(folder);
    for (const part of ["`c.md`", "`#two`", "`#nowhere` in `deep/b.md`"]) expect(said).toContain(part);
    expect(said).not.toContain("#one");
    expect(oddAddresses(join(folder, "deep/b.md"))).toEqual(["http://example.com", "https://"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
