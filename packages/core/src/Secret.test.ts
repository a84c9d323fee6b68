import * as fc from "fast-check";
import { expect, test } from "vitest";
import { credentialsIn, isCredential, redact } from "./Secret.ts";

test.for<[name: string, isSecret: boolean]>([
  ["authorization", true],
  ["Proxy-Authorization", true],
  ["cookie", true],
  ["x-access-token", true],
  ["client-secret", true],
  ["x-session-id", true],
  ["x-signature", true],
  ["x-api-key", true],
  ["x-apikey", true],
  ["auth", true],
  ["x-key", true],
  ["x-password", true],
  ["monkey", false],
  ["x-author", false],
  ["x-key-id", false],
  ["accept", false],
])("whether the header %s carries a credential: %s", ([name, isSecret]) => {
  expect(isCredential(name)).toBe(isSecret);
});

test("the credentials of a request are those of its headers, the values of cookies, and what was added to its query", () => {
  const url = "https://a.example/x?a=1";
  const headers = { authorization: "Bearer abc", accept: "b", cookie: "s=one; t = two=2 ;three" };
  expect(credentialsIn(url, headers)).toEqual(["Bearer abc", "one", "two=2", "three"]);
  expect(credentialsIn(`${url}&key=k&b=1`, {}, url)).toEqual(["k"]);
  expect(credentialsIn(url, {}, "https://a.example/x?a=2&b=1")).toEqual([]);
  expect(credentialsIn("no url", {}, url)).toEqual([]);
});

const secret = 'to"k/en+=1>?~';

test.for<[form: string, text: string]>([
  ["as it is", secret],
  ["in JSON", JSON.stringify(secret).slice(1, -1)],
  ["in a part of a URL", encodeURIComponent(secret)],
  ["in a query", new URL(`http://a/?${secret}`).search.slice(1)],
  ["in base64", btoa(secret).replace(/=+$/, "")],
])("a secret is hidden %s, at each place", ([form, text]) => {
  for (const of of [secret, `Bearer ${secret}`, ` ${secret} `]) {
    const hidden = redact(`<${text}> and <${text}>`, ["other-secret", of]);
    // The last character of base64 depends on what follows as well.
    const rest = form === "in base64" ? ".?" : "";
    expect(hidden).toMatch(new RegExp(`^<<redacted>${rest}> and <<redacted>${rest}>$`));
  }
});

test("less than six characters are no secret", () => {
  expect(redact("a word-1", ["word-1"])).toBe("a <redacted>");
  expect(redact("a word1", ["word1", "", "Bearer word1"])).toBe("a word1");
});

test("a secret is hidden in the base64 of a longer text, wherever it stands in that, in both alphabets", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[\x21-\x7e]{9,24}$/),
      fc.stringMatching(/^[\x20-\x7e]{0,6}$/),
      fc.stringMatching(/^[\x20-\x7e]{0,6}$/),
      (inner, before, after) => {
        const text = btoa(before + inner + after);
        for (const form of [text, text.replaceAll("+", "-").replaceAll("/", "_")]) {
          const hidden = redact(form, [inner]);
          // At most a character at each end depends on what stands beside it as well.
          expect(hidden).toContain("<redacted>");
          const rest = hidden.replaceAll("<redacted>", "").length;
          expect(rest).toBeLessThanOrEqual(form.length - Math.floor((inner.length * 8 - 10) / 6));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("base64 of less than eight characters is not looked for, nor of other text than a header's", () => {
  const six = "abcdef";
  expect(
    [six, `x${six}`, `xy${six}`, `xyz${six}`].map((text) => redact(btoa(text), [six]).includes("<redacted>")),
  ).toEqual([true, false, false, true]);
  expect(redact("töken-123", ["töken-123"])).toBe("<redacted>");
  // At its ends a character of base64 depends on what stands beside the secret as well.
  const nine = "abcdefghi";
  expect(["", "x", "xy"].map((before) => redact(btoa(`${before}${nine}z`), [nine]))).toEqual([
    "<redacted>eg==",
    "eG<redacted>Xo=",
    "eHl<redacted>l6",
  ]);
});
