// Wire cases of one user against core's server in memory.
import { fromJson } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { memoryServer } from "@bytenite-engines/core/testing";
import { rpcCodeOf } from "@bytenite-engines/core/wire";
import { expect, test } from "vitest";
import { Seeds, type WireCase } from "../src/Case.ts";
import { wireCases } from "../src/Cases.ts";
import { engines } from "../src/Engines.ts";

const seeds = new Seeds({ alice: "the-owner", bob: "", carol: "" });
const server = memoryServer({
  engines: engines.alice.map((engine) => fromJson(EngineSchema, { ...engine, owner: "the-owner", userName: "alice" })),
});

/** Of one user, and with a target that a URL can hold as it is. */
const isOfOne = ({ as = "alice", target, name, headers }: WireCase): boolean =>
  as === "alice" &&
  target !== undefined &&
  headers === undefined &&
  !/of another user|of everybody/.test(name) &&
  new URL(`http://memory.example/v1/dev${target}`).href.endsWith(target);

const own = wireCases.filter(isOfOne).filter(({ name }) => !name.includes("another user"));

test.for(own)("the server in memory answers $name", async ({ target = "", method = "GET", expected }) => {
  const response = await server.fetch(`http://memory.example/v1/dev${target}`, {
    method,
    headers: { accept: "application/json" },
    redirect: "manual",
    signal: new AbortController().signal,
  });
  const text = await (response as Response).text();
  const answered = response.status === 200 ? text : rpcCodeOf((JSON.parse(text) as { readonly code: number }).code);
  expect([response.status, answered]).toEqual(
    "data" in expected ? [200, JSON.stringify(expected.data(seeds))] : [expected.refused.status, expected.refused.code],
  );
});

test("most of the table is of one user", () => {
  expect(own.length).toBeGreaterThan(120);
});
