import * as fc from "fast-check";
import { expect, test } from "vitest";
import { countedAddress, makeLimit, makeLimiterCheck, type RateLimit } from "./RateLimit.ts";
import type { ApiError } from "./ApiError.ts";

/** Whether a call is allowed, or the time until it is. */
const outcome = ({ take }: RateLimit, user = "carol"): "in" | number => {
  try {
    take(user);
    return "in";
  } catch (error) {
    return (error as ApiError).options.retryDelayMs ?? Number.NaN;
  }
};

test("no window of time lets more calls in than the burst and what has flowed in since", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 80 });
  const rate = fc.record({
    perSecond: fc.double({ min: 0.1, max: 50, noNaN: true }),
    burst: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(
    fc.property(gaps, rate, (gaps, { perSecond, burst }) => {
      let now = 0;
      const limit = makeLimit({ perSecond, burst }, () => now);
      const admitted: Array<number> = [];
      for (const gap of gaps) {
        now += gap;
        if (outcome(limit) === "in") admitted.push(now);
      }
      for (const [index, from] of admitted.entries()) {
        for (const [later, to] of admitted.slice(index).entries()) {
          expect(later + 1).toBeLessThanOrEqual(burst + ((to - from) / 1_000) * perSecond + 1e-6);
        }
      }
    }),
  );
});

test("a call after the stated wait is allowed, and one a little earlier is not", () => {
  let now = 0;
  const limit = makeLimit({ perSecond: 0.3, burst: 1 }, () => now);
  expect(outcome(limit)).toBe("in");
  const wait = outcome(limit);
  expect(wait).toBe(3_334);
  now += 3_330;
  expect(outcome(limit)).toBe(4);
  now += 4;
  expect(outcome(limit)).toBe("in");
});

test("users do not take from each other, and a clock that goes back gives nothing, and takes nothing", () => {
  let now = 10_000;
  const limit = makeLimit({ perSecond: 1, burst: 1 }, () => now);
  expect([outcome(limit), outcome(limit, "dave")]).toEqual(["in", "in"]);
  now = 0;
  expect(outcome(limit)).toBe(1_000);
  now = 1_000;
  expect(outcome(limit)).toBe("in");
});

test("a call that is given back can be made again, and never more of them than the burst", () => {
  const limit = makeLimit({ perSecond: 1, burst: 2 }, () => 0);
  limit.giveBack("carol");
  expect([outcome(limit), outcome(limit), outcome(limit)]).toEqual(["in", "in", 1_000]);
  limit.giveBack("carol");
  expect([outcome(limit), outcome(limit)]).toEqual(["in", 1_000]);
  for (let call = 0; call < 3; call++) limit.giveBack("carol");
  expect([outcome(limit), outcome(limit), outcome(limit)]).toEqual(["in", "in", 1_000]);
});

test("a limiter of the runtime lets in, or refuses with its period as the wait", async () => {
  const check = makeLimiterCheck({ limit: async ({ key }) => ({ success: key === "carol" }) });
  await check("carol");
  await expect(check("dave")).rejects.toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    options: { headers: { "Retry-After": "10" }, retryDelayMs: 10_000 },
  });
});

test("a limit that lets nobody in is refused", () => {
  expect(() => makeLimit({ perSecond: 0, burst: 1 })).toThrow("perSecond");
  expect(() => makeLimit({ perSecond: Number.NaN, burst: 1 })).toThrow("perSecond");
  expect(() => makeLimit({ perSecond: 1, burst: 0 })).toThrow("burst");
});

test("who goes on asking stays limited, however many others come", () => {
  const { take } = makeLimit({ perSecond: 0.001, burst: 1 }, () => 0);
  const isAllowed = (key: string): boolean => {
    try {
      take(key);
      return true;
    } catch {
      return false;
    }
  };
  const busy = [isAllowed("busy")];
  for (let round = 0; round < 50; round++) {
    for (let other = 0; other < 1_000; other++) take(`other-${round}-${other}`);
    busy.push(isAllowed("busy"));
  }
  expect(busy).toEqual([true, ...Array.from({ length: 50 }, () => false)]);
});

test("who has not asked is forgotten when 20,000 have come since, themselves among them", () => {
  for (const [others, expected] of [
    [19_998, 1_000],
    [19_999, "in"],
  ] as const) {
    const limit = makeLimit({ perSecond: 1, burst: 1 }, () => 0);
    limit.take("carol");
    for (let other = 0; other < others; other++) limit.take(String(other));
    expect([others, outcome(limit)]).toEqual([others, expected]);
  }
});

test.for<[address: string | undefined, counted: string]>([
  [undefined, ""],
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:102:304", "0:0:0:0::/64"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:3::6", "2001:db8:1:2::/64"],
  ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
  ["1:2:3::4:5:6:7:8", "1:2:3:4::/64"],
  ["2001:db8::", "2001:db8:0:0::/64"],
  ["2001::5:6", "2001:0:0:0::/64"],
  ["::1:2:3:4:5:6:7", "0:1:2:3::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
])("the address %s is counted as %s", ([address, counted]) => {
  expect(countedAddress(address)).toBe(counted);
});

test("a wait is given in whole seconds, and a bucket is never fuller than its burst", () => {
  let now = 0;
  const { take } = makeLimit({ perSecond: 0.4998, burst: 1 }, () => now);
  take("carol");
  expect(() => take("carol")).toThrow(
    expect.objectContaining({ options: { headers: { "Retry-After": "3" }, retryDelayMs: 2_001 } }),
  );
  now = 1_000_000;
  take("carol");
  expect(() => take("carol")).toThrow("too many requests");
});
