// More than 200 lines: all of it looks at one trust through the same scripted account of numbers.
// When the memory of a client believes, doubts, witnesses and asks for JSON. The account of the numbers says what each test
// wants, so that only the memory is left.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EngineMessageSchema as schema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { schemaDigests } from "../gen/schemaDigests.ts";
import type { Numbers, Prospect } from "./Numbers.ts";
import type { TrustNews } from "./Verdict.ts";
import { makeTrust, type TrustOptions } from "./WireTrust.ts";

const origin = "https://engines.example";
const status = create(schema, { engineId: "1", engineTag: "zipper@0.1", engineStatus: "active" });
const other = create(schema, { ...status, engineStatus: "inactive" });
const bytes = toBinary(schema, status);
const ours = schemaDigests[schema.typeName] ?? "";
/** A field of length 127 of which nothing follows. */
const undecodable = new Uint8Array([0x0a, 0x7f]);
/** With a field that our schema does not have. */
const odd = new Uint8Array([...bytes, 0xf8, 0x7f, 1]);

const learned: TrustNews = { type: "trust", message: schema.typeName, detail: "learned", numbers: {} };

interface Account {
  reads: boolean;
  learns: boolean;
  knew: boolean;
  prospect: Prospect;
  contradicts: boolean;
  isOld: boolean;
  distrusts: boolean;
  forgot: boolean;
}

/** A memory whose account says so; what it says can be changed. */
const memory = (said: Partial<Account> = {}, options: Omit<TrustOptions, "calibration"> = {}) => {
  const account: Account = {
    reads: true,
    learns: true,
    knew: false,
    prospect: "open",
    contradicts: false,
    isOld: false,
    distrusts: false,
    forgot: false,
    ...said,
  };
  const numbers: Numbers = {
    read: (message, sent) => (account.reads ? fromBinary(message, sent) : undefined),
    learn: () => (account.learns ? [learned] : undefined),
    forget: () => {
      account.forgot = true;
      return account.knew;
    },
    contradicts: () => account.contradicts,
    isOld: () => account.isOld,
    get distrustsDigest() {
      return account.distrusts;
    },
    distrustDigest: () => {
      account.distrusts = true;
    },
    prospect: () => account.prospect,
  };
  const trust = makeTrust({ ...options, calibration: { numbersOf: () => numbers } });
  return {
    account,
    trust,
    decide: (digest: string | null = null, sent = bytes) => trust.decide(origin, schema, { digest, bytes: sent }),
    witness: (digest: string | null = null, json = status, sent = bytes) =>
      trust.witness(origin, schema, { digest, bytes: sent, json }),
    blame: (digest: string | null = null) => trust.blame(origin, schema, { digest, bytes, json: status }),
    asks: () => trust.asks(origin, schema),
    teaches: () => trust.teaches(origin, schema, status),
  };
};

test.for([0, 0.9, -1, Number.NaN])("a sample of every %d is refused", (sampleEvery) => {
  expect(() => makeTrust({ sampleEvery })).toThrow(
    new RangeError(`sampleEvery must be a number from 1, not ${sampleEvery}`),
  );
});

test("every answer that counts is believed but one, and that is witnessed", () => {
  const { decide } = memory({}, { sampleEvery: 3 });
  const kinds = Array.from({ length: 7 }, () => decide().kind);
  expect(kinds).toEqual(["believed", "believed", "witness", "believed", "believed", "witness", "believed"]);
});

test("a sample says so, and what was believed", () => {
  const { decide } = memory({}, { sampleEvery: 1 });
  expect(decide()).toEqual({ kind: "witness", reason: "sample", message: status });
});

test("answers that count at the start bring the first sample forward, and a witness puts it off", () => {
  expect(memory({}, { sampleEvery: 3, believedAtStart: 2 }).decide().kind).toBe("witness");
  const { decide, witness } = memory({}, { sampleEvery: 3, believedAtStart: 2 });
  witness();
  expect([decide().kind, decide().kind, decide().kind]).toEqual(["believed", "believed", "witness"]);
});

test("what was compared long ago is sampled at once, and then as usual", () => {
  const { decide } = memory({ isOld: true }, { sampleEvery: 3 });
  expect(Array.from({ length: 4 }, () => decide().kind)).toEqual(["witness", "believed", "believed", "witness"]);
  expect(memory({ isOld: true }, { sampleEvery: Infinity }).decide().kind).toBe("believed");
});

/** Which of so many answers, counted from 1, are samples. */
const samplesBy = (decide: () => { readonly kind: string }, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => (decide().kind === "witness" ? [index + 1] : [])).flat();

test("after a drift the first answer is sampled, then the second, the fourth and so on, until it is as usual", () => {
  const { blame, decide } = memory({ knew: true }, { sampleEvery: 10 });
  blame();
  expect(samplesBy(decide, 45)).toEqual([1, 3, 7, 15, 25, 35, 45]);
  blame();
  expect(samplesBy(decide, 45)).toEqual([1, 3, 7, 15, 25, 35, 45]);
});

test("a server that drifts again while it is looked at closely is looked at twice as long", () => {
  const { blame, decide } = memory({ knew: true }, { sampleEvery: 10 });
  blame();
  for (const expected of [
    [1, 2, 4, 8],
    [1, 2, 3, 4, 6, 10],
    [1, 2, 3, 4, 5, 6, 7, 8, 10],
  ]) {
    blame();
    expect(samplesBy(decide, 10)).toEqual(expected);
  }
});

test("a drift of one kind of answer is a reason to look at the others", () => {
  for (const isLater of [false, true]) {
    const { blame, trust } = memory({ knew: true }, { sampleEvery: 10 });
    const decide = () => trust.decide(origin, EngineSchema, { digest: null, bytes: new Uint8Array(0) });
    if (!isLater) decide();
    blame();
    expect(samplesBy(decide, 7)).toEqual([1, 3, 7]);
  }
});

test("a drift while any kind of answer is still looked at closely is looked at twice as long", () => {
  const { blame, decide, trust } = memory({ knew: true }, { sampleEvery: 10 });
  trust.decide(origin, EngineSchema, { digest: null, bytes: new Uint8Array(0) });
  blame();
  samplesBy(decide, 45);
  blame();
  expect(samplesBy(decide, 10)).toEqual([1, 2, 4, 8]);
});

test("a header that does not fit what is known is a drift, whichever of the two is right", () => {
  for (const sent of [bytes, odd]) {
    const { account, witness, decide } = memory({ contradicts: true, knew: true }, { sampleEvery: 10 });
    expect(witness(ours, status, sent)).toMatchObject({
      fits: true,
      news: [{ type: "drift" }, ...(sent === odd ? [learned] : [])],
    });
    account.contradicts = false;
    expect(samplesBy(() => decide(ours), 7)).toEqual([1, 3, 7]);
  }
});

test("each kind of answer is counted for itself, in whatever order they come", () => {
  const { trust, decide } = memory({}, { sampleEvery: 2 });
  const engine = () => trust.decide(origin, EngineSchema, { digest: null, bytes: new Uint8Array(0) });
  expect([decide, engine, decide, engine].map((next) => next().kind)).toEqual([
    "believed",
    "believed",
    "witness",
    "witness",
  ]);
});

test("nobody who wants no samples gets one after a drift", () => {
  const { blame, decide } = memory({ knew: true }, { sampleEvery: Infinity });
  blame();
  expect(samplesBy(decide, 10)).toEqual([]);
});

test("that samples find no JSON is told once, and once more when one has found it in between", () => {
  const { trust, witness } = memory();
  const alone = () => trust.alone(origin, schema).map(({ type, message }) => [type, message]);
  for (let round = 0; round < 2; round++) {
    expect(alone()).toEqual([["trust", schema.typeName]]);
    expect(alone()).toEqual([]);
    witness();
  }
});

test("what the account cannot read is unconfirmed", () => {
  expect(memory({ reads: false }).decide()).toEqual({ kind: "witness", reason: "unconfirmed" });
});

test("our digest is believed without the account, another one is not", () => {
  const { decide } = memory({ reads: false });
  expect(decide(ours)).toEqual({ kind: "believed", message: status });
  expect(decide("another")).toEqual({ kind: "witness", reason: "unconfirmed" });
});

test("bytes that are not of the schema of their digest are undecodable, with the cause", () => {
  const verdict = memory().decide(ours, undecodable);
  expect(verdict.kind).toBe("undecodable");
  expect(verdict).toHaveProperty("cause");
  expect(memory().witness(ours, status, undecodable)).toEqual({ fits: false, news: [] });
});

test("undecodable bytes are witnessed from the second in a row on, and some that can be read start the count anew", () => {
  const { decide } = memory();
  const verdicts = [undecodable, undecodable, undecodable, bytes, undecodable].map((sent) => decide(ours, sent));
  expect(verdicts.map(({ kind }) => kind)).toEqual(["undecodable", "witness", "witness", "believed", "undecodable"]);
  expect(verdicts[1]).toMatchObject({ reason: "undecodable", cause: expect.anything() as unknown });
});

test("bytes with what our schema does not have show that the header lies, and what they are is learned", () => {
  const { witness, account } = memory();
  expect(witness(ours, status, odd)).toEqual({ fits: true, news: [drift(lie), learned] });
  expect(account.distrusts).toBe(true);
});

test("a pair fits when it says the same under our digest, else when the account takes it in", () => {
  const { witness, account } = memory();
  expect(witness(ours)).toEqual({ fits: true, news: [] });
  expect(witness(ours, other)).toEqual({ fits: false, news: [] });
  expect(witness()).toEqual({ fits: true, news: [learned] });
  account.learns = false;
  expect(witness()).toEqual({ fits: false, news: [] });
});

test("after a pair that did not fit nothing is believed until one fits", () => {
  const { decide, witness, account } = memory();
  account.learns = false;
  witness();
  expect(decide()).toEqual({ kind: "witness", reason: "doubted" });
  account.learns = true;
  witness();
  expect(decide().kind).toBe("believed");
});

const drift = (detail: string): TrustNews => ({ type: "drift", message: schema.typeName, detail, numbers: {} });
const lie =
  "the origin sends our schema digest, but its field numbers are not ours; the header is not believed any more";
const drifted =
  "the protobuf does not fit the JSON of the same resource any more; the field numbers are worked out anew";

test("an origin that is blamed under our digest has lied: the header is not read any more", () => {
  const { blame, decide, account } = memory({ reads: false }, { sampleEvery: Infinity });
  expect(blame(ours)).toEqual([drift(lie), learned]);
  expect(decide(ours)).toEqual({ kind: "witness", reason: "unconfirmed" });
  // From then on it is like an origin without the header.
  expect(blame(ours)).toEqual([learned]);
  account.reads = true;
  expect(decide(ours).kind).toBe("believed");
});

test("an origin that is blamed without a digest has drifted, if anything was known of it", () => {
  expect(memory({ knew: true }).blame()).toEqual([drift(drifted), learned]);
  expect(memory({ knew: false }).blame()).toEqual([learned]);
  expect(memory({ knew: false, learns: false }).blame()).toEqual([]);
});

test("blame without a claim leaves the header alone, and under one what the pair teaches is kept", () => {
  const { blame, account } = memory();
  blame();
  expect(account).toMatchObject({ distrusts: false, forgot: true });
  account.forgot = false;
  blame(ours);
  expect(account).toMatchObject({ distrusts: true, forgot: false });
});

test("blame ends in doubt where its own pair teaches nothing", () => {
  const { blame, decide, account } = memory({ learns: false });
  blame();
  expect(decide()).toMatchObject({ reason: "doubted" });
  account.learns = true;
  blame();
  expect(decide().kind).toBe("believed");
});

test("protobuf is asked for, until a witnessed answer could not be read even then", () => {
  const { asks, witness, account } = memory();
  expect(asks()).toBe("protobuf");
  witness();
  expect(asks()).toBe("protobuf");
  account.reads = false;
  witness(ours);
  expect(asks()).toBe("protobuf");
  witness();
  expect(asks()).toBe("json");
  account.reads = true;
  witness();
  expect(asks()).toBe("protobuf");
});

test("blame also settles the form", () => {
  const { asks, blame } = memory({ reads: false });
  blame();
  expect(asks()).toBe("json");
});

/** Which of so many answers in JSON, counted from 1, have their protobuf read. */
const taughtBy = (teaches: () => boolean, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => (teaches() ? [index + 1] : [])).flat();

test("protobuf that would teach is always read", () => {
  const { teaches } = memory({ prospect: "teaches" });
  expect(taughtBy(teaches, 4)).toEqual([1, 2, 3, 4]);
});

test("where that is open it is read more and more rarely, and as often as a sample", () => {
  const { teaches } = memory({ prospect: "open" }, { sampleEvery: 12 });
  expect(taughtBy(teaches, 40)).toEqual([1, 2, 4, 8, 12, 16, 24, 32, 36]);
});

test("a pair that did not fit leaves it open, whatever the account says", () => {
  for (const prospect of ["complete", "teaches"] as const) {
    const { teaches, witness } = memory({ prospect, learns: false, reads: false });
    witness();
    expect(taughtBy(teaches, 9)).toEqual([1, 2, 4, 8]);
  }
});

test("where all is known protobuf is tried again after 1, 2, 4 and so on answers, and after a sample's at the latest", () => {
  const { witness, asks, teaches } = memory({ prospect: "complete", reads: false }, { sampleEvery: 6 });
  const answersUntilProtobuf: Array<number> = [];
  for (let round = 0; round < 5; round++) {
    witness();
    let answers = 0;
    while (asks() === "json") {
      expect(teaches()).toBe(false);
      answers += 1;
    }
    answersUntilProtobuf.push(answers);
  }
  expect(answersUntilProtobuf).toEqual([1, 2, 4, 6, 6]);
});

test("one answer that can be read starts the count anew", () => {
  const { witness, asks, teaches, account } = memory({ prospect: "complete", reads: false });
  for (let call = 0; call < 3; call++) witness();
  account.reads = true;
  witness();
  account.reads = false;
  witness();
  expect(asks()).toBe("json");
  teaches();
  expect(asks()).toBe("protobuf");
});
