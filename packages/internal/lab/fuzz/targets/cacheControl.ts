// Fuzz target: Cache-Control and targeted fields.
import {
  evaluate,
  freshnessOf,
  maxDeltaSeconds,
  parseDirectives,
  requestDirectives,
  responseDirectives,
  splitList,
  storingRefusal,
} from "@bytenite-engines/http-cache";
import { headerOf, latin1Of, must, mustEqual, type Target } from "../Target.ts";

const actions = new Set(["fresh", "stale", "validate", "forward", "unsatisfiable"]);
const times = { requestTimeMs: 1_000, responseTimeMs: 2_000 };

/** The request's field, the answer's and the targeted one, a line each. */
export const fuzz: Target = (data) => {
  const [asked = "", answered = "", targeted = ""] = latin1Of(data)
    .split("\n")
    .map((line) => headerOf(line) ?? "");
  for (const field of [asked, answered]) {
    const elements = splitList(field);
    mustEqual(splitList(elements.join(", ")), elements, "a list is not stable");
    for (const name of parseDirectives(field).keys()) must(name === name.toLowerCase(), "a directive keeps its case");
  }
  const request = requestDirectives(asked, null);
  const policies = [true, false].map((shared) => ({ shared, targetedFields: ["cdn-cache-control"] }));
  for (const policy of policies) {
    const headers = new Headers({ "cache-control": answered, "cdn-cache-control": targeted, age: targeted });
    const control = responseDirectives(headers, policy);
    for (const seconds of [...Object.values(control), ...Object.values(request)]) {
      if (typeof seconds !== "number") continue;
      must(Number.isInteger(seconds) && seconds >= 0 && seconds <= maxDeltaSeconds, "a duration is out of range");
    }
    const freshness = freshnessOf(200, headers, control, times, policy);
    for (const ms of Object.values(freshness)) {
      must(typeof ms === "boolean" || (Number.isFinite(ms) && ms >= 0), "freshness is not a time");
    }
    must(actions.has(evaluate(request, freshness, 60_000).action), "there is no such decision");
    const refusal = storingRefusal(
      { method: "GET", control: request, authorized: true },
      200,
      headers,
      control,
      policy,
    );
    must(!control.noStore || refusal !== undefined, "what is not to be stored may be stored");
  }
};
