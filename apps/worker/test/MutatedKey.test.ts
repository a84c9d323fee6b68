// A Worker whose cache key lacks the token: encryption prevents leaks.
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";
import { adminSecret, startStack, type Stack } from "./served.ts";

interface Mutation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const withoutToken: Mutation = { file: "Store.ts", from: "`${owner}/${format}", to: "`/${format}" };
const withoutEncryption: Mutation = {
  file: "Identity.ts",
  from: 'importKey("raw", utf8.encode(token)',
  to: 'importKey("raw", utf8.encode("everybody")',
};

/** The Worker with these changes, as one ES module. */
const mutated = async (mutations: ReadonlyArray<Mutation>): Promise<string> => {
  const done = new Set<Mutation>();
  const bundle = await rolldown({
    input: fileURLToPath(new URL("../src/worker.ts", import.meta.url)),
    platform: "browser",
    external: [/^cloudflare:/],
    plugins: [
      {
        name: "mutate",
        transform(code, id) {
          let changed = code;
          for (const mutation of mutations) {
            if (!id.endsWith(`/src/${mutation.file}`) || !changed.includes(mutation.from)) continue;
            changed = changed.replace(mutation.from, () => mutation.to);
            done.add(mutation);
          }
          return changed;
        },
      },
    ],
  });
  const { output } = await bundle.generate({ codeSplitting: false });
  await bundle.close();
  if (done.size !== mutations.length) throw new Error("a mutation found nothing to change");
  return output[0].code;
};

/** Whose engines Bob is shown, right after Alice asked for hers. */
const shownToBob = async ({ get, registry }: Stack): Promise<"his" | "hers"> => {
  for (const accept of ["application/json", "application/x-protobuf"]) {
    await (await get(registry.tokens["alice"], "/engines", { accept })).arrayBuffer();
  }
  // What Alice's requests left to do in the data centre's cache is done when her entry can be read back there.
  for (let count = 0; count < 20; count++) await (await get(registry.tokens["alice"], "/engines")).arrayBuffer();
  const shown = [];
  for (const accept of ["application/json", "application/x-protobuf"]) {
    const response = await get(registry.tokens["bob"], "/engines", { accept });
    shown.push(new TextDecoder("latin1").decode(await response.arrayBuffer()));
  }
  return shown.some((text) => text.includes("zipper")) ? "hers" : "his";
};

const undecryptableFound = async ({ url }: Stack): Promise<number> => {
  const text = await (await fetch(`${url}/-/metrics`, { headers: { authorization: adminSecret } })).text();
  return Number(/^bytenite_edge_undecryptable_found (\d+)$/m.exec(text)?.[1]);
};

test.each([
  ["in memory and in the data centre", {}],
  ["in the data centre alone", { MEMORY_ENTRIES: "0" }],
])("without the token in the key nobody sees another's answers, kept %s", async (_where, variables) => {
  await using stack = await startStack(variables, {}, await mutated([withoutToken]));
  expect(await shownToBob(stack)).toBe("his");
  // It was not luck: Bob's requests did find Alice's entry, and could not open it.
  expect(await undecryptableFound(stack)).toBeGreaterThan(0);
});

test("without the encryption as well, the same look finds the leak", async () => {
  await using stack = await startStack({}, {}, await mutated([withoutToken, withoutEncryption]));
  expect(await shownToBob(stack)).toBe("hers");
});

test("as it is, no request ever finds an entry that it cannot open", async () => {
  await using stack = await startStack({}, {}, await mutated([]));
  expect([await shownToBob(stack), await undecryptableFound(stack)]).toEqual(["his", 0]);
});
