import { expect, test } from "vitest";
import type { RequestHead } from "../api/Answer.ts";
import { assertCondition, conditionIn } from "./Condition.ts";

const one = "If-None-Match is * in an upload, without If-Match, and nothing else";
const other = 'If-Match is * or one revision, as "revision-7"';
const refused = "the condition of the request does not hold: ";

/** What is said of an engine that does not exist, of revision 7, and of the largest there can be. */
test.for<[match: string | null, noneMatch: string | null, ...said: ReadonlyArray<string>]>([
  [null, null, "", "", ""],
  ["*", null, `${refused}there is no such engine`, "", ""],
  [" * ", null, `${refused}there is no such engine`, "", ""],
  ['"revision-7"', null, `${refused}there is no such engine`, "", `${refused}the engine has revision 2147483647`],
  [' "revision-2147483647" ', null, `${refused}there is no such engine`, `${refused}the engine has revision 7`, ""],
  [null, "*", "", `${refused}the engine has revision 7`, `${refused}the engine has revision 2147483647`],
  [null, " * ", "", `${refused}the engine has revision 7`, `${refused}the engine has revision 2147483647`],
  ['"revision-07"', null, other, other, other],
  ['"revision-12345678901"', null, other, other, other],
  ['W/"revision-7"', null, other, other, other],
  ["", null, other, other, other],
  [null, '"revision-7"', one, one, one],
  ["*", "*", one, one, one],
])("If-Match: %s, If-None-Match: %s", ([match, noneMatch, ...said]) => {
  const fields: Readonly<Record<string, string | null>> = { "if-match": match, "if-none-match": noneMatch };
  const head = { header: (name: string) => fields[name] ?? null } as unknown as RequestHead;
  const outcome = (revision: number | undefined, mayBeNew: boolean): string => {
    try {
      assertCondition(conditionIn(head, mayBeNew), revision);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  for (const [index, revision] of [undefined, 7, 2_147_483_647].entries()) {
    expect(outcome(revision, true)).toBe(said[index]);
    expect(outcome(revision, false)).toBe(noneMatch === null ? said[index] : one);
  }
});
