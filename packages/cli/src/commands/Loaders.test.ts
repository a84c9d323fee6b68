import { expect, test } from "vitest";
import { commands } from "../parse/CommandTable.ts";
import { loaders } from "./Loaders.ts";

test("every command of the table has something that runs it, and nothing else has", async () => {
  expect(Object.keys(loaders).toSorted()).toEqual(commands.map(({ path }) => path.join(" ")).toSorted());
  for (const load of Object.values(loaders)) expect(await load()).toBeTypeOf("function");
});
