// Random cases for the comparison with http-cache-semantics.
import type { Case, Fields } from "./differences.ts";
import { formatHttpDate } from "../src/HttpDate.ts";

/** The time at which responses are stored. */
export const storedAtMs = Date.UTC(2026, 10, 24, 12);

const at = (seconds: number): string => formatHttpDate(storedAtMs + seconds * 1000);

export const generateCase = (random: () => number): Case => {
  const pick = <T>(...values: ReadonlyArray<T>): T => values[Math.floor(random() * values.length)] as T;
  const chance = (share: number): boolean => random() < share;
  /** Usually one of the plain values, sometimes an odd one. */
  const usually = (plain: ReadonlyArray<string>, odd: ReadonlyArray<string>): string =>
    chance(0.9) ? pick(...plain) : pick(...odd);
  const some = (fields: Readonly<Record<string, readonly [share: number, value: () => string]>>): Fields =>
    Object.fromEntries(
      Object.entries(fields).flatMap(([name, [share, value]]) => (chance(share) ? [[name, value()] as const] : [])),
    );

  const seconds = (): string =>
    usually(["0", "1", "10", "60", "100", "3600"], ["", "x", "1.5", "10x", "-5", '"60"', "99999999999", "060"]);
  const control = (shares: Readonly<Record<string, readonly [share: number, value?: () => string]>>): string => {
    const all = Object.entries(shares).flatMap(([name, [share, value]]) => {
      const found: Array<string> = [];
      if (chance(share)) {
        const written = chance(0.03) ? name.toUpperCase() : name;
        const equals = chance(0.03) ? pick(" = ", " =", "= ") : "=";
        found.push(
          value === undefined ? (chance(0.02) ? `${written}${equals}1` : written) : `${written}${equals}${value()}`,
        );
        if (chance(0.03)) found.push(value === undefined ? name : `${name}=${value()}`);
        if (value !== undefined && chance(0.02)) found.push(name);
        const last = found.at(-1) ?? "";
        if (chance(0.02) && !last.includes('"')) found.push(`"${found.pop() ?? ""}"`);
      }
      return found;
    });
    if (chance(0.02)) all.unshift('ext="a, no-store, b"');
    const ordered = all.map((member) => [random(), member] as const).toSorted(([one], [other]) => one - other);
    return ordered.map(([, member]) => member).join(chance(0.02) ? "; " : ", ");
  };
  const names = (): string => pick('"x"', '"set-cookie, x"', '"x', '""', "x");

  const vary = chance(0.2) ? pick("Accept-Language", "X", "accept-language, x", "*", "X, *", "") : undefined;
  const url = "/x";
  const method = usually(["GET"], ["HEAD", "POST"]);
  const asked = (): Fields => ({
    host: "a.example",
    ...some({
      authorization: [0.1, () => "Bearer x"],
      "accept-language": [0.5, () => pick("en", "en", "en, de", "en,de", "EN")],
      x: [0.3, () => pick("1", "2")],
    }),
  });
  const date = (plain: number): string =>
    usually(
      [at(plain)],
      [
        "0",
        "x",
        new Date(storedAtMs + plain * 1000).toISOString(),
        "Tuesday, 24-Nov-60 12:00:00 GMT",
        "Tue Nov 24 11:00:00 2026",
      ],
    );
  const response: Fields = some({
    "cache-control": [
      0.85,
      () =>
        control({
          "max-age": [0.6, seconds],
          "s-maxage": [0.15, seconds],
          public: [0.1],
          private: [0.06],
          "no-cache": [0.06],
          "no-store": [0.04],
          "must-revalidate": [0.08],
          "proxy-revalidate": [0.05],
          "must-understand": [0.02],
          immutable: [0.05],
          "stale-while-revalidate": [0.2, seconds],
          "stale-if-error": [0.2, seconds],
        }) + (chance(0.04) ? `, ${pick("private", "no-cache")}=${names()}` : ""),
    ],
    expires: [0.2, () => date(pick(60, -60, 3600))],
    date: [0.6, () => date(pick(0, -10, 10))],
    "last-modified": [0.4, () => date(pick(-1000, -100_000, 10))],
    etag: [0.5, () => pick('"a"', 'W/"a"')],
    age: [0.2, () => usually(["0", "5", "50"], ["x", "5x", "-5", "7, 9"])],
    pragma: [0.04, () => pick("no-cache", "x")],
    "set-cookie": [0.06, () => "c=1"],
    connection: [0.05, () => pick("close", "x-hop", "X-Hop")],
    "x-hop": [0.1, () => "1"],
    x: [0.3, () => "1"],
    "proxy-authentication-info": [0.02, () => "x"],
  });
  const second = {
    url: chance(0.03) ? "/y" : url,
    method: chance(0.95) ? method : pick("GET", "HEAD", "POST"),
    headers: {
      ...asked(),
      ...some({
        "cache-control": [
          0.3,
          () =>
            control({
              "max-age": [0.3, seconds],
              "min-fresh": [0.2, seconds],
              "max-stale": [0.4, seconds],
              "no-cache": [0.1],
              "no-store": [0.05],
            }) + (chance(0.1) ? ", max-stale" : ""),
        ],
        pragma: [0.03, () => "no-cache"],
        "if-none-match": [0.05, () => '"c"'],
        "if-modified-since": [0.05, () => at(-5)],
        "if-match": [0.02, () => '"c"'],
        "if-range": [0.02, () => '"c"'],
        connection: [0.05, () => "close"],
      }),
    },
  };
  return {
    options: {
      shared: chance(0.7),
      ...(chance(0.1) ? { cacheHeuristic: 0.5 } : {}),
      ...(chance(0.1) ? { immutableMinTimeToLive: 5_000 } : {}),
    },
    request: {
      url,
      method,
      headers: {
        ...asked(),
        ...some({ "cache-control": [0.1, () => control({ "no-store": [0.2], "max-age": [0.3, seconds] })] }),
      },
    },
    response: {
      status: chance(0.8) ? 200 : pick(203, 204, 206, 301, 302, 304, 307, 400, 403, 404, 410, 412, 416, 500, 503),
      headers: vary === undefined ? response : { ...response, vary },
    },
    elapsedMs: pick(0, 1, 5, 10, 11, 50, 60, 70, 110, 3599, 3601, 100_000) * 1000 + (chance(0.5) ? 500 : 0),
    second,
    validation: {
      status: chance(0.7) ? 304 : pick(200, 404, 500, 503),
      headers: some({
        etag: [0.6, () => pick('"a"', '"a"', 'W/"a"', '"b"', 'W/"b"')],
        "last-modified": [0.4, () => response["last-modified"] ?? at(-1000)],
        "cache-control": [0.3, () => "max-age=60"],
        "x-new": [0.1, () => "1"],
        x: [0.3, () => "2"],
      }),
    },
  };
};
