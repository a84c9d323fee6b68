// Check of a response against all possible states.
import { equals } from "@bufbuild/protobuf";
import { decode, encode, encodeJson, type Format } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, type Engine } from "@bytenite-engines/proto";
import type { EngineWorld, State } from "./EngineWorld.ts";
import { rightAnswer, schemaOf, type Asked, type Right } from "./Expected.ts";
import { mayBeOldMs, underWayMs, type Outcome } from "./Staleness.ts";
import type { Token } from "./Tokens.ts";

type Message = Exclude<Right, "absent">;

/** How long after a revocation the registry may still take the token, in milliseconds. */
const revocationWithinMs = 1_000;

/** A received answer. */
export type Came =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer>; readonly format: Format }
  | { readonly kind: "absent" }
  | { readonly kind: "refused" };

/** One answered call. Times in milliseconds since the epoch. */
export interface Observation {
  readonly token: Token;
  readonly asked: Asked;
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  readonly outcome: Outcome;
  readonly came: Came;
}

/** Problem of an answer. `foreign`: it shows data that this user was never allowed to see. */
export interface Violation {
  readonly kind: "wrong" | "foreign" | "refused" | "revoked";
  readonly text: string;
}

/** Judges answers. */
export class Judge {
  readonly #world: EngineWorld;
  /** Nothing older may be served: when everything was last purged, in milliseconds since the epoch. */
  purgedAtMs = 0;

  constructor(world: EngineWorld) {
    this.#world = world;
  }

  /** Its problem, or undefined. */
  judge(observation: Observation): Violation | undefined {
    const { token, asked, askedAtMs, answeredAtMs, outcome, came } = observation;
    if (came.kind === "refused") {
      return token.revokedAtMs === undefined
        ? violation("refused", observation, "a good token was refused")
        : undefined;
    }
    const oldestMs = askedAtMs - mayBeOldMs(asked.endpoint, outcome);
    const fromMs = askedAtMs > this.purgedAtMs ? Math.max(oldestMs, this.purgedAtMs - underWayMs) : oldestMs;
    if (token.revokedAtMs !== undefined && fromMs > token.revokedAtMs + revocationWithinMs) {
      return violation("revoked", observation, `a revoked token was answered (${came.kind})`);
    }
    const states = this.#world.between(fromMs, answeredAtMs);
    if (states.some((state) => isRight(state, token.user, asked, came))) return undefined;
    const foreign = this.#foreign(observation);
    if (foreign !== undefined) return violation("foreign", observation, `shows ${foreign}`);
    const wide = this.#world.between(0, answeredAtMs);
    const late = wide.find((state) => isRight(state, token.user, asked, came));
    return violation(
      "wrong",
      observation,
      late === undefined
        ? `was never right: ${textOf(asked, came)}${differenceOf(wide, token.user, asked, came)}`
        : `was right until ${answeredAtMs - late.untilMs} ms before it came; allowed are ${answeredAtMs - fromMs} ms`,
    );
  }

  /** Something in an answer that the user could not see at any moment that is remembered. */
  #foreign({ token, asked, answeredAtMs, came }: Observation): string | undefined {
    const engines = enginesIn(asked, came);
    const states = this.#world.between(0, answeredAtMs);
    const stranger = engines.find(
      ({ userName, name, version }) =>
        userName !== token.user &&
        !states.some(({ engines: all }) => all.get(`${userName}/${name}@${version}`)?.engine.isPublic === true),
    );
    const secret = engines.find(({ userName, platformConfig }) => userName !== token.user && platformConfig?.token);
    const found = stranger ?? secret;
    return (
      found && `${found.name}@${found.version} of ${found.userName}${secret === undefined ? "" : ", secret included"}`
    );
  }
}

const isRight = (state: State, user: string, asked: Asked, came: Came): boolean => {
  const right = rightAnswer(state, user, asked);
  if (right === "absent" || came.kind === "absent") return right === came.kind;
  const schema = schemaOf[asked.endpoint];
  if (came.kind === "message") return came.message.$typeName === schema.typeName && equals(schema, came.message, right);
  if (came.kind !== "bytes") return false;
  const bytes = encode(schema, right, came.format);
  return Buffer.compare(bytes, came.bytes) === 0;
};

const messageIn = (asked: Asked, came: Came): Message | undefined => {
  if (came.kind === "message") return came.message;
  if (came.kind !== "bytes") return undefined;
  try {
    return decode(schemaOf[asked.endpoint], came.bytes, came.format);
  } catch {
    return undefined;
  }
};

const enginesIn = (asked: Asked, came: Came): ReadonlyArray<Engine> => {
  const message = messageIn(asked, came);
  if (message === undefined) return [];
  if (message.$typeName === "bytenite.engine.Engine") return [message];
  return message.$typeName === EngineListResponseSchema.typeName ? message.engines : [];
};

/** Descriptions say whose an engine is and which change made it; all of an answer would not fit a line. */
const textOf = (asked: Asked, came: Came): string => {
  const engines = enginesIn(asked, came);
  if (came.kind === "bytes" && messageIn(asked, came) === undefined) return `${came.bytes.byteLength} unreadable bytes`;
  return engines.length === 0
    ? JSON.stringify(messageIn(asked, came) ?? came.kind, (_, value: unknown) =>
        typeof value === "bigint" ? `${value}` : value,
      )
    : engines
        .map(({ description, status }) => `${description.split(" é")[0]} ${status}`)
        .join(", ")
        .slice(0, 500);
};

/** Fields in which an answer differs from the latest right one, by name. */
const differenceOf = (states: ReadonlyArray<State>, user: string, asked: Asked, came: Came): string => {
  const message = messageIn(asked, came);
  const right = states.map((state) => rightAnswer(state, user, asked)).find((one): one is Message => one !== "absent");
  if (message === undefined || right === undefined) return "";
  const [is, should] = [message, right].map((one) => encodeJson(schemaOf[asked.endpoint], one));
  const fields = Object.keys({ ...is, ...should }).filter(
    (name) => JSON.stringify(is?.[name]) !== JSON.stringify(should?.[name]),
  );
  return `; unlike the latest in ${fields.map((name) => `${name} (${JSON.stringify(is?.[name])?.slice(0, 200)}, not ${JSON.stringify(should?.[name])?.slice(0, 200)})`).join(", ")}`;
};

const violation = (kind: Violation["kind"], { token, asked, outcome }: Observation, what: string): Violation => ({
  kind,
  text: `${token.user} asked ${Object.values(asked).join(" ")} (${outcome}): ${what}`,
});
