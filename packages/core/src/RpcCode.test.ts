import { expect, test } from "vitest";
import { httpStatusOf, rpcCodeOf, rpcCodeOfHttp, rpcCodes, type RpcCode } from "./RpcCode.ts";

test.for(Object.entries(rpcCodes))(
  "%s is the code %d, and its HTTP status is that of grpc-gateway",
  ([name, number]) => {
    expect(rpcCodeOf(number)).toBe(name);
    const shared: Partial<Record<RpcCode, RpcCode>> = {
      OK: "UNKNOWN",
      UNKNOWN: "INTERNAL",
      DATA_LOSS: "INTERNAL",
      ALREADY_EXISTS: "ABORTED",
      FAILED_PRECONDITION: "INVALID_ARGUMENT",
      OUT_OF_RANGE: "INVALID_ARGUMENT",
    };
    expect(rpcCodeOfHttp(httpStatusOf(name as RpcCode))).toBe(shared[name as RpcCode] ?? name);
  },
);

test("what is carried out has the status 200", () => {
  expect(httpStatusOf("OK")).toBe(200);
});

test.for([-1, 17, 0.5, Number.NaN])("%d is not a code", (number) => {
  expect(rpcCodeOf(number)).toBeUndefined();
});

test.for<[status: number, code: RpcCode]>([
  [408, "DEADLINE_EXCEEDED"],
  [418, "FAILED_PRECONDITION"],
  [502, "UNAVAILABLE"],
  [520, "INTERNAL"],
  [304, "UNKNOWN"],
])("HTTP %d without a word stands for %s", ([status, code]) => {
  expect(rpcCodeOfHttp(status)).toBe(code);
});
