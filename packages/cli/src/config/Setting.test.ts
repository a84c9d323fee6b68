import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { settingsTable } from "./Setting.ts";

test("the README states the default of every setting that has one", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  for (const { name, variable, fallback } of settingsTable) {
    if (fallback === undefined) continue;
    const names = variable === undefined ? `\`${name}\`` : `\`${name}\`, \`${variable}\``;
    expect(readme).toContain(`- ${names}: \`${fallback}\``);
  }
});
