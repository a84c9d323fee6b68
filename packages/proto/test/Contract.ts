// Common shape of OpenAPI documents and descriptors, and their differences.

/**
 * Everything that one side says about the API, as facts: a name (`GET /engines ?orderBy`, `GET /engines engineEngine.id`)
 * and what is said about it. Facts carry positions, so order counts too.
 */
export type Contract = ReadonlyMap<string, string>;

/** The media types under which the documents give every answer. */
export const documentedMediaTypes = ["application/json", "application/x-protobuf"];

/** The statuses that the documents list without a schema, besides `200` and `default`. */
export const documentedErrors = ["400", "401", "403", "404", "500", "503"];

/** What is said about a parameter or property: where it stands among its siblings (from 1), and its schema. */
export const placed = (index: number, rest: string): string => `#${index + 1} ${rest}`;

/** All that the two sides do not say alike, one sentence each; empty when they agree both ways. */
export const differences = (documents: Contract, descriptors: Contract): ReadonlyArray<string> =>
  [...new Set([...documents.keys(), ...descriptors.keys()])]
    .filter((name) => documents.get(name) !== descriptors.get(name))
    .map(
      (name) =>
        `${name}: documents say ${documents.get(name) ?? "nothing"}, descriptors say ${descriptors.get(name) ?? "nothing"}`,
    );
