import { getEventListeners } from "node:events";
import { Cancellation } from "./Cancellation.ts";
import { expect, test } from "vitest";
import {
  credentialsError,
  isKeyed,
  keyedToken,
  makeCredentials,
  maxKeptTokens,
  type ExchangeTools,
  type KeyedSource,
} from "./Credentials.ts";
import { EngineError } from "./EngineError.ts";
import { liveClock } from "./Timer.ts";
import type { TokenOption } from "./Token.ts";

const at = (nowMs: number): ExchangeTools => ({
  clock: Object.assign(Object.create(liveClock) as typeof liveClock, {
    currentTimeMillisUnsafe: () => nowMs,
    monotonicTimeNanosUnsafe: () => BigInt(nowMs) * 1_000_000n,
  }),
  baseUrl: "http://127.0.0.1/v1/dev",
  fetch: () => Promise.reject(new Error("nothing is sent")),
  settings: undefined as never,
  budgets: undefined as never,
  emit: undefined,
  trace: undefined as never,
  tracing: undefined,
});

/** Credentials that give token-1, token-2, ... and count their renewals. */
const counted = (livesMs: number | undefined) => {
  const renewals: Array<string> = [];
  let given = 0;
  const source: TokenOption = ({ nowMs }) => {
    given += 1;
    const token = `token-${given}`;
    return livesMs === undefined ? token : { token, expiresAtMs: nowMs + livesMs };
  };
  return { credentials: makeCredentials(source, (because) => renewals.push(because)), renewals };
};

test("a static token is sent as it is, and cannot be renewed", async () => {
  const credentials = makeCredentials("  Bearer abc ", () => {});
  expect(credentials.renewable).toBe(false);
  expect(await credentials.token(at(0), "Bearer abc")).toBe("Bearer abc");
  expect(await makeCredentials(undefined, () => {}).token(at(0))).toBeUndefined();
});

test.for(["", "   ", "a\nb", "a\u0000", "tökén", "a\tb"])(
  "the token %j cannot be sent, and the error does not show it",
  (token) => {
    let error: unknown;
    try {
      makeCredentials(token, () => {});
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TypeError);
    expect(token.trim() !== "" && String(error).includes(token)).toBe(false);
  },
);

test("a token is used until a minute before it expires, then renewed once for all", async () => {
  const { credentials, renewals } = counted(3_600_000);
  expect(await credentials.token(at(0))).toBe("token-1");
  expect(await credentials.token(at(3_600_000 - 60_001))).toBe("token-1");
  const renewed = await Promise.all(Array.from({ length: 50 }, async () => credentials.token(at(3_600_000 - 60_000))));
  expect(new Set(renewed)).toEqual(new Set(["token-2"]));
  expect(renewals).toEqual(["first", "expiry"]);
});

test("of a short life the last tenth is left over", async () => {
  const { credentials } = counted(10_000);
  expect(await credentials.token(at(1_000))).toBe("token-1");
  expect(await credentials.token(at(9_999))).toBe("token-1");
  expect(await credentials.token(at(10_000))).toBe("token-2");
});

test("a JWT is not kept for its exp: the function may give the next caller another one", async () => {
  const exp = btoa(JSON.stringify({ exp: 9_999_999_999 }));
  let given = 0;
  const credentials = makeCredentials(
    () => `e30.${exp}.user-${(given += 1)}`,
    () => {},
  );
  const tokens = await Promise.all([1, 2, 3].map(async () => credentials.token(at(0))));
  expect(tokens.map((token) => token?.split(".")[2])).toEqual(["user-1", "user-2", "user-3"]);
});

test.for([
  { token: "of-one" },
  { token: "of-one", expiresAtMs: undefined },
  { token: "of-one", expiresAtMs: Number.NaN },
])("%j does not say how long it is good, so it is for one request", async (given) => {
  let asked = 0;
  const credentials = makeCredentials(
    () => {
      asked += 1;
      return given;
    },
    () => {},
  );
  for (const nowMs of [0, 1, 2]) await credentials.token(at(nowMs));
  expect(asked).toBe(3);
});

test("a source that first says how long its token is good, and then gives one for a caller, serves nobody else with that", async () => {
  let asked = 0;
  const credentials = makeCredentials(
    () => {
      asked += 1;
      return asked === 1 ? { token: "for-all", expiresAtMs: 1_000 } : `for-caller-${asked}`;
    },
    () => {},
  );
  expect(await credentials.token(at(0))).toBe("for-all");
  const tokens = await Promise.all([1, 2, 3].map(async () => credentials.token(at(2_000))));
  expect(new Set(tokens).size).toBe(3);
  // Who asked keeps what was fetched; the two who waited ask themselves.
  expect(asked).toBe(4);
});

test("a caller that waits alone for a token of no known life asks once", async () => {
  let asked = 0;
  const credentials = makeCredentials(
    () => {
      asked += 1;
      return asked === 1 ? { token: "for-all", expiresAtMs: 1_000 } : `for-caller-${asked}`;
    },
    () => {},
  );
  await credentials.token(at(0));
  expect([await credentials.token(at(2_000)), asked]).toEqual(["for-caller-2", 2]);
});

test("a token that never expires, or has expired already, is kept as long", async () => {
  const { credentials: endless } = counted(Infinity);
  for (const nowMs of [0, 1e15]) expect(await endless.token(at(nowMs))).toBe("token-1");
  const { credentials: late } = counted(-5);
  for (const token of ["token-1", "token-2"]) expect(await late.token(at(0))).toBe(token);
});

test("tokens are kept by key, of so many keys, the oldest of which goes first", async () => {
  const fetched: Array<string> = [];
  let key = "";
  const source: KeyedSource = {
    key: () => key,
    fetch: (of, { nowMs }) => {
      fetched.push(of);
      return Promise.resolve({ token: `token-of-${of}`, expiresAtMs: nowMs + 3_600_000 });
    },
  };
  const credentials = makeCredentials(keyedToken(source), () => {});
  const tokenOf = (of: number, rejected?: string) => {
    key = String(of);
    return credentials.token(at(0), rejected);
  };
  const keys = Array.from({ length: maxKeptTokens + 1 }, (_, at) => at);
  for (const of of keys.slice(0, -1)) expect(await tokenOf(of)).toBe(`token-of-${of}`);
  await tokenOf(0);
  expect(fetched).toHaveLength(maxKeptTokens);
  await tokenOf(maxKeptTokens);
  for (const of of [1, maxKeptTokens]) await tokenOf(of);
  expect(fetched).toHaveLength(maxKeptTokens + 1);
  await tokenOf(0);
  expect(fetched.slice(maxKeptTokens)).toEqual([String(maxKeptTokens), "0"]);
  // One that was renewed is no longer the oldest.
  await tokenOf(2, "token-of-2");
  for (const of of [maxKeptTokens + 1, 2]) await tokenOf(of);
  expect(fetched.slice(maxKeptTokens + 2)).toEqual(["2", String(maxKeptTokens + 1)]);
  // Nor does it take the place of another one.
  await tokenOf(5, "token-of-5");
  await tokenOf(4);
  expect(fetched.slice(maxKeptTokens + 4)).toEqual(["5"]);
  expect(maxKeptTokens).toBe(1_000);
});

test("a keyed source whose key is a promise is asked once for all calls that wait for it", async () => {
  let asked = 0;
  const option = keyedToken({
    key: () => Promise.resolve("k"),
    fetch: (_key, { nowMs }) => Promise.resolve({ token: `token-${(asked += 1)}`, expiresAtMs: nowMs + 1_000 }),
  });
  expect([isKeyed(option), isKeyed(() => "t")]).toEqual([true, false]);
  const credentials = makeCredentials(option, () => {});
  const tokens = await Promise.all([1, 2, 3].map(async () => credentials.token(at(0))));
  expect([new Set(tokens), asked]).toEqual([new Set(["token-1"]), 1]);
});

test("a refused token is replaced at once, for everybody who was refused with it, by one renewal", async () => {
  const { credentials, renewals } = counted(3_600_000);
  await credentials.token(at(0));
  const replaced = await Promise.all([1, 2, 3].map(async () => credentials.token(at(1), "token-1")));
  expect(replaced).toEqual(["token-2", "token-2", "token-2"]);
  // One that comes late was refused with a token that nobody uses any more.
  expect(await credentials.token(at(2), "token-1")).toBe("token-2");
  expect(renewals).toEqual(["first", "rejected"]);
});

test("a source that fails is asked again by the next call", async () => {
  let asked = 0;
  const credentials = makeCredentials(
    () => {
      asked += 1;
      if (asked === 1) throw new Error("vault is sealed");
      return "good-token";
    },
    () => {},
  );
  await expect(credentials.token(at(0))).rejects.toThrow("vault is sealed");
  expect(await credentials.token(at(0))).toBe("good-token");
});

test("a token of no known life is asked for anew by every call, and by each of several at once", async () => {
  const { credentials, renewals } = counted(undefined);
  expect(await Promise.all([1, 2].map(async () => credentials.token(at(0))))).toEqual(["token-1", "token-2"]);
  expect(await credentials.token(at(0))).toBe("token-3");
  expect(await credentials.token(at(0), "token-3")).toBe("token-4");
  expect(renewals).toEqual(["first", "rejected"]);
});

test("the failure of a source is an error of the call", () => {
  const error = credentialsError("http://a.example/", new Error("vault is sealed"));
  expect(error.reason).toEqual({ _tag: "CredentialsFailed", problem: "vault is sealed" });
  expect(error.attempts).toBe(0);
  const own = new EngineError({ reason: { _tag: "NotFound" }, url: "http://a.example/", attempts: 1 });
  expect(credentialsError("http://a.example/", own)).toBe(own);
  expect(credentialsError("http://a.example/", "text").reason).toEqual({
    _tag: "CredentialsFailed",
    problem: "the token source failed",
  });
});

/** A source that never gives a token, and records whether it was aborted. */
const stuck = () => {
  const signals: Array<AbortSignal> = [];
  const source: TokenOption = ({ signal }) => {
    signals.push(signal);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("let off")));
    });
  };
  return { credentials: makeCredentials(source, () => {}), signals };
};

test("a source is let off when the call that asked it gives up, and no other one with it", async () => {
  const { credentials, signals } = stuck();
  const [first, second] = [new AbortController(), new AbortController()];
  const waits = [first, second].map(async ({ signal }) =>
    credentials.token(at(0), undefined, new Cancellation(signal)),
  );
  const ends = Promise.allSettled(waits);
  first.abort();
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  second.abort();
  expect((await ends).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});

test("who waits for the renewal of a call that gives up renews it itself", async () => {
  const { credentials, renewals } = counted(3_600_000);
  await credentials.token(at(0));
  const leader = new AbortController();
  const source: TokenOption = ({ signal, nowMs }) =>
    nowMs === 0
      ? { token: "first", expiresAtMs: 1_000 }
      : signal === leader.signal
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("gone"))))
        : { token: "second", expiresAtMs: 1e9 };
  const kept = makeCredentials(source, () => {});
  await kept.token(at(0));
  const waits = [leader.signal, undefined, undefined].map(async (signal) =>
    kept.token(at(5_000), undefined, new Cancellation(signal)),
  );
  const ends = Promise.allSettled(waits);
  leader.abort();
  expect((await ends).map((end) => (end.status === "fulfilled" ? end.value : "gone"))).toEqual([
    "gone",
    "second",
    "second",
  ]);
  expect(renewals).toEqual(["first"]);
});

test("a call that comes after a renewal was given up begins one of its own", async () => {
  const { credentials, signals } = stuck();
  for (const controller of [new AbortController(), new AbortController()]) {
    const wait = Promise.resolve(credentials.token(at(0), undefined, new Cancellation(controller.signal))).catch(
      () => "given up",
    );
    controller.abort();
    expect(await wait).toBe("given up");
  }
  expect(signals.length).toBe(2);
});

test("a renewal leaves no listener on the signals of those who waited", async () => {
  const { credentials } = counted(3_600_000);
  const { signal } = new AbortController();
  await credentials.token(at(0), undefined, new Cancellation(signal));
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("the same token again is not news", async () => {
  const renewals: Array<string> = [];
  const credentials = makeCredentials(
    () => "same-token",
    (because) => renewals.push(because),
  );
  for (const nowMs of [0, 1, 2]) await credentials.token(at(nowMs));
  expect(renewals).toEqual(["first"]);
});
