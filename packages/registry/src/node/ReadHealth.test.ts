import { expect, test } from "vitest";
import { DatabaseUnavailable, type Row } from "../api/SqlDriver.ts";
import { watchReads } from "./ReadHealth.ts";

const statements = (sql: string) => [{ sql, values: [] }];

test("a failed read is counted each time and told once, until it succeeds again", async () => {
  const said: Array<unknown> = [];
  const read: Array<string> = [];
  let failing: unknown;
  let rows: ReadonlyArray<Row> = [];
  const { port, problem } = watchReads(
    {
      readOnly: false,
      read: async ([statement]) => {
        read.push(String(statement?.sql));
        if (failing !== undefined) throw failing;
        return [rows];
      },
      write: async () => [],
    },
    {
      onFailure: (code) => said.push(code),
      onChange: (found) => said.push(found ?? "well"),
    },
  );
  expect(await problem()).toBeUndefined();
  rows = [{ json: "{}", protobuf: new Uint8Array(1) }];
  expect(await port.read(statements("first"))).toEqual([rows]);
  expect([read.splice(0), said]).toEqual([["first"], []]);
  failing = new DatabaseUnavailable(Object.assign(new Error("malformed"), { errcode: 11 + 256 }));
  for (const sql of ["second", "third"]) await expect(port.read(statements(sql))).rejects.toBe(failing);
  expect(await problem()).toBe("malformed");
  expect([read.splice(0), said.splice(0)]).toEqual([
    ["second", "third", "second"],
    [11, "malformed", 11, 11],
  ]);
  failing = undefined;
  for (const damaged of [{ json: null }, { protobuf: "x" }]) {
    rows = [{ json: "{}" }, damaged];
    const error: unknown = await port.read(statements("damaged")).catch((caught: unknown) => caught);
    expect([error instanceof DatabaseUnavailable, (error as Error).cause]).toEqual([
      true,
      new Error("a row is damaged"),
    ]);
  }
  expect([await problem(), said.splice(0)]).toEqual(["malformed", [0, 0, 0]]);
  rows = [];
  expect([await problem(), await problem(), said]).toEqual([undefined, undefined, ["well"]]);
  expect(read.at(-1)).toBe("second");
});
