// The answer lies elsewhere, or behind another token.
import { expect } from "vitest";
import { answer, good, refuse, resetAfter, script } from "../Acts.ts";
import { fourTimes, once, theToken, waitsMs, type FaultRow } from "../FaultRow.ts";
import type { Act, FaultServer } from "@bytenite-engines/test-kit";

const redirect =
  (location: (target: string) => string, status = 302): Act =>
  (socket, arrived, count) =>
    answer({ status, headers: { Location: location(arrived.target) } })(socket, arrived, count);

const tokensSent = (server: FaultServer): ReadonlyArray<string | undefined> =>
  server.arrived.map(({ headers }) => headers["authorization"]);

const redirects: ReadonlyArray<FaultRow> = [
  {
    name: "a redirect to another origin",
    act: redirect((target) => `http://localhost:1${target}`),
    expected: { ends: "RedirectRefused", says: /its target has another origin, http:\/\/localhost:1/, ...once },
  },
  {
    name: "a redirect to another port, by 307",
    act: redirect((target) => `//127.0.0.1:1${target}`, 307),
    expected: { ends: "RedirectRefused", says: /another origin/, ...once },
  },
  {
    name: "a redirect from http to https",
    act: (socket, arrived, count) =>
      redirect((target) => `https://${arrived.headers["host"]}${target}`)(socket, arrived, count),
    expected: { ends: "RedirectRefused", says: /another origin, https:/, ...once },
  },
  {
    name: "a redirect loop",
    act: redirect((target) => target),
    expected: { ends: "RedirectRefused", says: /more than 5 in a row/, ...once, arrived: 6 },
  },
  {
    name: "a redirect to no URL",
    act: redirect(() => "http://"),
    expected: { ends: "RedirectRefused", says: /its target is not a URL/, ...once },
  },
  {
    name: "a redirect within the origin",
    act: script(
      redirect((target) => `${target}?moved=1`, 308),
      good,
    ),
    expected: { ends: "data", ...once, arrived: 2 },
    afterwards: (server) => expect(tokensSent(server)).toEqual([theToken, theToken]),
  },
  {
    name: "a redirect within the origin, to where the connection breaks",
    act: (socket, arrived, count) =>
      arrived.target.endsWith("?moved=1")
        ? resetAfter(() => Buffer.alloc(0))(socket, arrived, count)
        : redirect((target) => `${target}?moved=1`)(socket, arrived, count),
    expected: { ends: "Unreachable", says: /The connection broke/, ...fourTimes, arrived: 8 },
  },
];

/** Tokens of a source that counts them. */
const renewed = (): NonNullable<FaultRow["options"]> => {
  let count = 0;
  return { token: () => `${theToken}-${(count += 1)}` };
};

const tokens: ReadonlyArray<FaultRow> = [
  {
    name: "401, then right with another token",
    act: script(refuse(401, 16), good),
    options: renewed(),
    expected: { ends: "data", attempts: 2, waitedMs: 0 },
    afterwards: (server) => expect(tokensSent(server)).toEqual([`${theToken}-1`, `${theToken}-2`]),
  },
  {
    name: "401 to every token",
    act: refuse(401, 16),
    options: renewed(),
    expected: { ends: "Unauthenticated", attempts: 2, waitedMs: 0 },
  },
  {
    name: "401, then 503, then right: the token is renewed once",
    act: script(refuse(401, 16), refuse(503, 14), good),
    options: renewed(),
    expected: { ends: "data", attempts: 3, waitedMs: waitsMs(1) },
  },
  {
    name: "401 again, after another token and another failure",
    act: script(refuse(401, 16), refuse(503, 14), refuse(401, 16)),
    options: renewed(),
    expected: { ends: "Unauthenticated", attempts: 3, waitedMs: waitsMs(1) },
  },
  {
    name: "a token source that fails",
    act: good,
    options: {
      token: () => {
        throw new Error("the vault is sealed");
      },
    },
    expected: { ends: "CredentialsFailed", says: /the vault is sealed/, attempts: 0, waitedMs: 0 },
  },
  {
    name: "a token source that gives no token",
    act: good,
    options: { token: () => "two\nlines" },
    expected: { ends: "CredentialsFailed", says: /no HTTP header can carry/, attempts: 0, waitedMs: 0 },
  },
];

export const elsewhere: ReadonlyArray<FaultRow> = [...redirects, ...tokens];
