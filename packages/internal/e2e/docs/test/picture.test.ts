import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { textOf, type Recording } from "../src/Recording.ts";
import { lasting, recordSession } from "../src/Session.ts";
import { startStack, type Stack } from "../src/Stack.ts";
import { pictureOf } from "../src/TerminalPicture.ts";

let stack: Stack;
let recording: Recording;
beforeAll(async () => {
  stack = await startStack(0);
  recording = await recordSession(stack);
});
afterAll(() => stack?.stop());

const textIn = (svg: string): string =>
  [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)]
    .map(([, text = ""]) => text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">"))
    .join("")
    .replaceAll("&amp;", "&");

test("docs/session.svg shows what the commands print today (`pnpm picture` renews it)", () => {
  const committed = readFileSync(new URL("../../../../../docs/session.svg", import.meta.url), "utf8");
  expect(lasting(textIn(committed))).toBe(lasting(textOf(recording)));
});

test("a picture holds every character of its recording, in colour, and nothing that runs", () => {
  const picture = pictureOf(recording, 'a "title" & <more>');
  expect(lasting(textIn(picture))).toBe(lasting(textOf(recording)));
  expect(picture).toContain("<title>a &quot;title&quot; &amp; &lt;more&gt;</title>");
  expect(picture).toContain('fill="#3fb950"');
  expect(picture).not.toMatch(/<script|href|on\w+=/);
});
