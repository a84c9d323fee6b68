import { expect, test } from "vitest";
import { commands } from "../parse/CommandTable.ts";
import { loaderOf } from "./Loaders.ts";

test("every command of the table has something that runs it", async () => {
  for (const command of commands)
    expect([command.path, await loaderOf(command)?.()]).toEqual([command.path, expect.any(Function)]);
});
