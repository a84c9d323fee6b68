// More than 200 lines: every way through one function, with the same scripted trust.
// Which requests one reading takes, and what it hands out, whatever the trust says: here it says what each test wants.
import { create, toBinary, type MessageShape } from "@bufbuild/protobuf";
import { EngineMessageSchema as schema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { firstForm, readTrusted, UntrustedAnswer, weigh, type FormedAnswer } from "./TrustedAnswer.ts";
import type { Testimony, Trust, TrustNews, Verdict } from "./Verdict.ts";

const origin = "https://engines.example";

type Status = MessageShape<typeof schema>;
type Answer = FormedAnswer<typeof schema>;

const active = create(schema, { engineId: "1", engineTag: "zipper@0.1", engineStatus: "active" });
const inactive = create(schema, { ...active, engineStatus: "inactive" });

const json = (message: Status): Answer => ({ format: "json", message });
const protobuf = (message: Status): Answer => ({ format: "protobuf", digest: "d", bytes: toBinary(schema, message) });
const bytesOf = (message: Status): Uint8Array => toBinary(schema, message);

const news = (detail: string): TrustNews => ({ type: "trust", message: schema.typeName, detail, numbers: {} });

interface Says {
  readonly verdict?: Verdict<typeof schema>;
  readonly asks?: "json" | "protobuf";
  readonly teaches?: boolean;
  /** Whether the pairs fit, one after the other. */
  readonly fits?: ReadonlyArray<boolean>;
  readonly ready?: Promise<void>;
}

/** A trust that says so, and keeps what it was shown. */
const saying = ({ verdict, asks = "protobuf", teaches = false, fits = [], ready }: Says) => {
  const pairs: Array<Testimony<typeof schema>> = [];
  const blamed: Array<Testimony<typeof schema>> = [];
  const trust = {
    ready: () => ready,
    asks: () => asks,
    teaches: () => teaches,
    decide: () => verdict ?? { kind: "witness", reason: "unconfirmed" },
    witness: (_origin, _schema, testimony) => {
      pairs.push(testimony as Testimony<never>);
      return { fits: fits[pairs.length - 1] ?? true, news: [news(`pair ${pairs.length}`)] };
    },
    alone: () => [news("alone")],
    blame: (_origin, _schema, testimony) => {
      blamed.push(testimony as Testimony<never>);
      return [news("blame")];
    },
  } as Trust;
  return { trust, pairs, blamed };
};

/** Reads once from a server with these answers; an error stands for a request without an answer. */
const reading = async (says: Says, answers: ReadonlyArray<Answer | Error>, prefers: "auto" | "json" | "protobuf") => {
  const { trust, pairs, blamed } = saying(says);
  const asked: Array<string> = [];
  const spare: Array<boolean> = [];
  const heard: Array<string> = [];
  const { message, answer } = await readTrusted<typeof schema, Answer>({
    trust,
    origin,
    schema,
    prefers,
    onNews: ({ detail }) => heard.push(detail),
    ask: (format, fresh, isSpare) => {
      spare.push(isSpare);
      const next = answers[asked.length] ?? new Error("one request too many");
      asked.push(`${format}${fresh ? ", fresh" : ""}`);
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
  });
  return { message, answer, asked, spare, heard, pairs, blamed };
};

const believed: Verdict<typeof schema> = { kind: "believed", message: active };
const sampled: Verdict<typeof schema> = { kind: "witness", reason: "sample", message: active };

test("what is believed is handed out after one request", async () => {
  const sent = protobuf(active);
  const { message, answer, asked, pairs } = await reading({ verdict: believed }, [sent], "auto");
  expect(message).toBe(active);
  expect(answer).toBe(sent);
  expect(asked).toEqual(["protobuf"]);
  expect(pairs).toEqual([]);
});

test("the form is the caller's, and the trust's only where the caller leaves it open", () => {
  const { trust } = saying({ asks: "protobuf" });
  expect(firstForm({ trust, origin, schema, prefers: "auto" })).toBe("protobuf");
  expect(firstForm({ trust, origin, schema, prefers: "json" })).toBe("json");
});

test("nothing is asked before what was known of an origin is loaded", async () => {
  const { promise: ready, resolve: loaded } = Promise.withResolvers<void>();
  const { trust } = saying({ ready, verdict: believed });
  let requests = 0;
  const ask = (): Promise<Answer> => Promise.resolve(protobuf(active)).finally(() => (requests += 1));
  const read = readTrusted<typeof schema, Answer>({ trust, origin, schema, prefers: "auto", ask });
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  expect(requests).toBe(0);
  loaded();
  expect((await read).message).toBe(active);
});

test("what is not of the schema that it names is refused, with the cause", async () => {
  const cause = new Error("cut");
  const read = reading({ verdict: { kind: "undecodable", cause } }, [protobuf(active)], "auto");
  await expect(read).rejects.toThrow(UntrustedAnswer);
  await expect(read).rejects.toMatchObject({
    name: "UntrustedAnswer",
    problem: "undecodable",
    message: "the protobuf is not of the schema that the server names",
    cause,
  });
});

test("what nothing confirms is refused, without a cause", async () => {
  const error: unknown = await reading({}, [protobuf(active), protobuf(active)], "protobuf").catch(
    (failure: unknown) => failure,
  );
  expect(error).toBeInstanceOf(UntrustedAnswer);
  expect(error).toMatchObject({
    problem: "unconfirmed",
    message: "the server answers in protobuf only, and nothing confirms its field numbers",
  });
  expect(Object.hasOwn(error as Error, "cause")).toBe(false);
});

test("the failure of the JSON that is needed is the call's", async () => {
  await expect(reading({}, [protobuf(active), new Error("503")], "auto")).rejects.toThrow("503");
});

test("JSON teaches nothing where the trust does not want it, nor where it was not the trust that asked for it", async () => {
  const teaches = { asks: "json", teaches: true } as const;
  expect((await reading({ asks: "json" }, [json(active)], "auto")).asked).toEqual(["json"]);
  expect((await reading(teaches, [json(active)], "json")).asked).toEqual(["json"]);
  // Asked for protobuf, and answered in JSON.
  expect((await reading({ teaches: true }, [json(active)], "auto")).asked).toEqual(["protobuf"]);
  expect((await reading({ teaches: true }, [json(active)], "protobuf")).asked).toEqual(["protobuf"]);
});

test("JSON that teaches is handed out, and shown to the trust with its protobuf", async () => {
  const first = json(active);
  const says = { asks: "json", teaches: true } as const;
  const { message, answer, asked, pairs, heard } = await reading(says, [first, protobuf(active)], "auto");
  expect(message).toBe(active);
  expect(answer).toBe(first);
  expect(asked).toEqual(["json", "protobuf"]);
  expect(pairs).toEqual([{ digest: "d", bytes: bytesOf(active), json: active }]);
  expect(heard).toEqual(["pair 1"]);
});

test.for<[name: string, second: Answer | Error]>([
  ["no answer", new Error("503")],
  ["JSON", json(inactive)],
])("%s where protobuf would teach leaves the call as it is", async ([, second]) => {
  const says = { asks: "json", teaches: true } as const;
  const { message, pairs } = await reading(says, [json(active), second], "auto");
  expect(message).toBe(active);
  expect(pairs).toEqual([]);
});

test("a sample hands out its JSON, and what was believed where there is none", async () => {
  const first = protobuf(active);
  const second = json(inactive);
  const seen = await reading({ verdict: sampled }, [first, second], "auto");
  expect(seen.message).toBe(inactive);
  expect(seen.answer).toBe(second);
  expect(seen.heard).toEqual(["pair 1"]);
  for (const none of [new Error("503"), protobuf(inactive)]) {
    const unseen = await reading({ verdict: sampled }, [first, none], "auto");
    expect(unseen.message).toBe(active);
    expect(unseen.answer).toBe(first);
    expect(unseen.asked).toEqual(["protobuf", "json"]);
    expect(unseen.pairs).toEqual([]);
    expect(unseen.heard).toEqual(["alone"]);
  }
});

const a = protobuf(active);
const i = protobuf(inactive);
const none = new Error("503");

/** After protobuf of the one and JSON of the other, which did not fit: what comes, and what the trust is told. */
test.for<
  [
    name: string,
    fits: ReadonlyArray<boolean>,
    rest: ReadonlyArray<Answer | Error>,
    asked: ReadonlyArray<string>,
    pairs: number,
    blames: boolean,
  ]
>([
  ["fits again", [false, true], [i], ["protobuf, fresh"], 2, false],
  ["has no second protobuf", [false], [none], ["protobuf, fresh"], 1, false],
  ["has JSON for a second protobuf", [false], [json(active)], ["protobuf, fresh"], 1, false],
  ["fits in the end", [false, false, true], [a, json(inactive)], ["protobuf, fresh", "json, fresh"], 3, false],
  ["has no second JSON", [false, false], [a, none], ["protobuf, fresh", "json, fresh"], 2, false],
  ["has protobuf for a second JSON", [false, false], [a, a], ["protobuf, fresh", "json, fresh"], 2, false],
  ["changed its protobuf", [false, false, false], [i, json(inactive)], ["protobuf, fresh", "json, fresh"], 3, false],
  ["changed its JSON", [false, false, false], [a, json(active)], ["protobuf, fresh", "json, fresh"], 3, false],
  ["changed nothing", [false, false, false], [a, json(inactive)], ["protobuf, fresh", "json, fresh"], 3, true],
])("a pair that did not fit and then %s", async ([, fits, rest, asked, pairs, blames]) => {
  const read = await reading({ fits }, [a, json(inactive), ...rest], "auto");
  expect(read.message).toBe(inactive);
  expect(read.asked).toEqual(["protobuf", "json", ...asked]);
  expect(read.pairs).toHaveLength(pairs);
  expect(read.blamed).toEqual(blames ? [{ digest: "d", bytes: bytesOf(active), json: inactive }] : []);
  expect(read.heard).toEqual([...read.pairs.map((_, index) => `pair ${index + 1}`), ...(blames ? ["blame"] : [])]);
});

test("a request is spare where there is data without it, and only there", async () => {
  const unfit = { fits: [false, false, false] };
  const rest = [json(inactive), a, json(inactive)];
  expect((await reading(unfit, [a, ...rest], "auto")).spare).toEqual([false, false, true, true]);
  expect((await reading({ ...unfit, verdict: sampled }, [a, ...rest], "auto")).spare).toEqual([
    false,
    true,
    true,
    true,
  ]);
  const says = { asks: "json", teaches: true } as const;
  expect((await reading(says, [json(active), a], "auto")).spare).toEqual([false, true]);
});

test("nobody needs to listen", async () => {
  const { trust, blamed } = saying({ fits: [false, false, false] });
  const ask = (format: string): Promise<Answer> => Promise.resolve(format === "json" ? json(inactive) : a);
  const { message } = await readTrusted<typeof schema, Answer>({ trust, origin, schema, prefers: "auto", ask });
  expect(message).toBe(inactive);
  expect(blamed).toHaveLength(1);
});

test("one answer that is enough is weighed at once", () => {
  const { trust } = saying({ verdict: believed });
  const asking = { trust, origin, schema, prefers: "auto", ask: () => Promise.reject(none) } as const;
  expect(weigh<typeof schema, Answer>(asking, "protobuf", a)).toEqual({ message: active, answer: a });
});
