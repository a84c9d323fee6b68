import { clone, create } from "@bufbuild/protobuf";
import { encode } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema, type Engine } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { EngineWorld, keyOf } from "./EngineWorld.ts";
import type { Asked } from "./Expected.ts";
import { Judge, type Came, type Observation } from "./Judge.ts";
import { mayBeOldMs } from "./Staleness.ts";
import type { Token } from "./Tokens.ts";

const engineOf = (userName: string, description: string, isPublic = false): Engine =>
  create(EngineSchema, {
    id: userName,
    name: "zipper",
    version: "0.1",
    userName,
    description,
    isPublic,
    platformConfig: { token: `secret of ${userName}` },
  });

/** Ada's engine changes at 100,000; Ben's is private, and public from 100,000 on. */
const changedAtMs = 100_000;
const [old, fresh] = [engineOf("ada", "old"), engineOf("ada", "new")];
const [hidden, shown] = [engineOf("ben", "his"), engineOf("ben", "his", true)];

const all = (...engines: ReadonlyArray<Engine>) =>
  new Map(engines.map((engine, number) => [keyOf(engine.userName, engine), { engine, user: engine.userName, number }]));

const judgeIt = (changed: Partial<Observation> & { readonly came: Came }) => {
  const world = new EngineWorld(Number.POSITIVE_INFINITY);
  world.change(1_000, 1_001, all(old, hidden));
  world.change(changedAtMs, changedAtMs + 1, all(fresh, shown));
  const asked: Asked = { endpoint: "get", tag: "zipper" };
  return new Judge(world).judge({
    token: tokenOf("ada"),
    asked,
    askedAtMs: changedAtMs + 10,
    answeredAtMs: changedAtMs + 20,
    outcome: "missed",
    ...changed,
  })?.kind;
};

const tokenOf = (user: string, revokedAtMs?: number): Token => ({ user, id: user, secret: user, revokedAtMs });
const message = (engine: Engine): Came => ({ kind: "message", message: engine });
const without = (engine: Engine): Engine => {
  const open = clone(EngineSchema, engine);
  if (open.platformConfig !== undefined) open.platformConfig.token = "";
  return open;
};

test("what holds now is right, as a message and to the byte", () => {
  expect(judgeIt({ came: message(fresh) })).toBeUndefined();
  const bytes = encode(EngineSchema, fresh, "json");
  expect(judgeIt({ came: { kind: "bytes", bytes, format: "json" } })).toBeUndefined();
  expect(judgeIt({ came: { kind: "bytes", bytes: bytes.with(5, 65), format: "json" } })).toBe("wrong");
});

test("what held before is right as long as it may be stored, and not when it was fetched", () => {
  const came = message(old);
  expect(judgeIt({ came })).toBe("wrong");
  expect(judgeIt({ came, outcome: "stored" })).toBeUndefined();
  const askedAtMs = changedAtMs + mayBeOldMs("get", "stored") + 10;
  expect(judgeIt({ came, outcome: "stored", askedAtMs, answeredAtMs: askedAtMs })).toBe("wrong");
  expect(judgeIt({ came, outcome: "stale-if-error", askedAtMs, answeredAtMs: askedAtMs })).toBeUndefined();
});

test("an answer that came while a change was made may be of before and after it", () => {
  const during = { askedAtMs: changedAtMs - 5, answeredAtMs: changedAtMs + 5 };
  expect([judgeIt({ came: message(old), ...during }), judgeIt({ came: message(fresh), ...during })]).toEqual([
    undefined,
    undefined,
  ]);
});

test("another's engine is seen only when it is public, and never its secret", () => {
  const eve = { token: tokenOf("eve") };
  expect(judgeIt({ came: message(without(shown)), ...eve })).toBeUndefined();
  expect(judgeIt({ came: message(shown), ...eve })).toBe("foreign");
  const early = { askedAtMs: 50_000, answeredAtMs: 50_001 };
  expect(judgeIt({ came: message(without(hidden)), ...eve, ...early })).toBe("foreign");
  const list = create(EngineListResponseSchema, { engines: [fresh, without(hidden)], pagination: { total: 2 } });
  const asked: Asked = { endpoint: "list", params: { isPublic: false, orderBy: "name", limit: 5, offset: 0 } };
  expect(judgeIt({ came: { kind: "message", message: list }, asked, ...early })).toBe("foreign");
});

test("nothing is right where there is something, and the other way round", () => {
  expect(judgeIt({ came: { kind: "absent" } })).toBe("wrong");
  expect(
    judgeIt({ came: { kind: "absent" }, token: tokenOf("eve"), askedAtMs: 50_000, answeredAtMs: 50_001 }),
  ).toBeUndefined();
});

test("a good token is never refused, a revoked one is not answered for longer than an answer lives", () => {
  expect(judgeIt({ came: { kind: "refused" } })).toBe("refused");
  expect(judgeIt({ came: { kind: "refused" }, token: tokenOf("ada", changedAtMs) })).toBeUndefined();
  const came = message(fresh);
  const revoked = {
    token: tokenOf("ada", changedAtMs),
    askedAtMs: changedAtMs + 2_000,
    answeredAtMs: changedAtMs + 2_001,
  };
  expect(judgeIt({ came, ...revoked })).toBe("revoked");
  expect(judgeIt({ came, ...revoked, outcome: "stored" })).toBeUndefined();
});
