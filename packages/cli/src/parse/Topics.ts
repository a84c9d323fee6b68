// Help topics.

/** Topics of `bne help`. */
export const topicNames = ["exit-codes", "environment", "output", "tags", "manifests", "credentials"] as const;

/** The name of a topic. */
export type Topic = (typeof topicNames)[number];

/** Whether there is such a topic. */
export const isTopic = (word: string): word is Topic => (topicNames as ReadonlyArray<string>).includes(word);

/** A topic: paragraphs, and lines of a name and its meaning. */
export interface TopicText {
  readonly title: string;
  readonly parts: ReadonlyArray<string | ReadonlyArray<readonly [name: string, text: string]>>;
}

/** Topics whose text is written by hand; the others are made from tables. */
export const topicTexts: Readonly<Record<Exclude<Topic, "exit-codes" | "environment">, TopicText>> = {
  output: {
    title: "Forms of output",
    parts: [
      "stdout carries data and nothing else; notes, progress and errors go to stderr. --output chooses the form, --columns fields of table, wide and csv, --jq an expression over the JSON.",
      [
        ["table", "for people; on a terminal it fits the width, and what does not fit is named on stderr"],
        ["wide", "more columns, and nothing is cut"],
        ["json", "one document as the API would answer it"],
        ["yaml", "the same as YAML 1.2"],
        ["ndjson", "one JSON object a line, as it arrives"],
        ["csv", "RFC 4180, with the API's names as header"],
        ["name", "tags, one a line"],
        ["protobuf", "bytes of the API's message; not on a terminal"],
      ],
      "With json and ndjson, and with --trace, stderr is one JSON object a line, too. Secrets are REDACTED unless --show-secrets is given.",
    ],
  },
  tags: {
    title: "Tags",
    parts: [
      "A tag names an engine. Versions are two whole numbers: 0.10 is later than 0.9.",
      [
        ["name", "the latest version"],
        ["name@1", "the latest version that begins with 1"],
        ["name@1.2", "this version"],
      ],
    ],
  },
  manifests: {
    title: "Manifests",
    parts: [
      "manifest.json describes an engine: one JSON object, at the top of the engine's folder. `bne new` makes one, `bne validate` checks it, `bne push` and `bne registry import` read it. `name` (letters, digits, - and _, at most 64) and `version` (major.minor) are needed. Keys may be in any case.",
      [
        ["name, version", "the tag is name@version; another push of the same pair is its next revision"],
        ["type", "partitioner or assembler"],
        ["description, entrypoint", "texts; the entrypoint is a file in app, main.py by default"],
        ["platform, platform_config", "where it runs: container, private_image, username, token, secrets"],
        ["device_requirements", "min_cpu, min_memory (GB), gpu"],
      ],
    ],
  },
  credentials: {
    title: "Credentials",
    parts: [
      "Where a token comes from. For a registry of your own: `bne registry token create --user NAME` prints one, and `bne registry key create --user NAME` an API key; `bne registry serve` without users of its own prints trial tokens when it starts. For any other server: its operator makes them.",
      "Which one is used: --token, else BYTENITE_TOKEN, else BYTENITE_API_KEY, else what `bne auth login` has stored for the profile. `bne auth status` shows which, and whether the server accepts it.",
      "Where they go: stored credentials go to the origin that they were stored for, and nowhere else. An API key is exchanged for access tokens at --auth-url or BYTENITE_AUTH_URL, else where it was exchanged at login, else at auth/access_token next to the last part of the base URL's path, or below it.",
    ],
  },
};
