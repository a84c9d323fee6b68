// Users and their valid and revoked tokens.
import { createCredential, ensureUser, revokeCredential, type SqliteFile, type User } from "@bytenite-engines/registry";
import type { Random } from "@bytenite-engines/test-kit/random";

/** A token, for as long as it is used. */
export interface Token {
  readonly user: string;
  readonly id: string;
  readonly secret: string;
  /** When its revocation was on disk, in milliseconds since the epoch. */
  revokedAtMs: number | undefined;
}

/** Living tokens of each user. */
const tokensPerUser = 2;
/** Revoked tokens that are still tried. */
const maxRevoked = 12;

export const userNames: ReadonlyArray<string> = ["ada", "ben", "cleo", "dan", "eve", "fay"];

/** The tokens of a run. */
export class Tokens {
  readonly #file: SqliteFile;
  readonly users: ReadonlyMap<string, User>;
  #living: Array<Token> = [];
  #revoked: Array<Token> = [];
  made = 0;
  revocations = 0;

  constructor(file: SqliteFile, nowMs: number) {
    this.#file = file;
    this.users = new Map(userNames.map((name) => [name, ensureUser(file, name, nowMs)]));
  }

  /** The first ones. */
  async begin(): Promise<void> {
    for (const name of userNames) for (let count = 0; count < tokensPerUser; count++) await this.#make(name);
  }

  /** Revokes the oldest token of somebody, and gives them another. */
  async rotate(random: Random): Promise<void> {
    const name = random.pick(userNames);
    await this.#make(name);
    const oldest = this.#living.find(({ user }) => user === name);
    if (oldest === undefined) return;
    this.#living = this.#living.filter((token) => token !== oldest);
    revokeCredential(this.#file, oldest.id, Date.now());
    oldest.revokedAtMs = Date.now();
    this.revocations += 1;
    this.#revoked = [...this.#revoked, oldest].slice(-maxRevoked);
  }

  /** A token to ask with: now and then one that was revoked. */
  pick(random: Random): Token {
    return random.chance(0.04) && this.#revoked.length > 0 ? random.pick(this.#revoked) : random.pick(this.#living);
  }

  /** Whether a token may still be picked. */
  isUsed(token: Token): boolean {
    return this.#living.includes(token) || this.#revoked.includes(token);
  }

  /** A token that never was one. */
  unknown(user: string): Token {
    return { user, id: "", secret: `bnt_nobody_${user}`, revokedAtMs: 0 };
  }

  async #make(name: string): Promise<void> {
    const user = this.users.get(name) as User;
    const { id, secret } = await createCredential(this.#file, user, "token", "soak", Date.now());
    this.#living.push({ user: name, id, secret, revokedAtMs: undefined });
    this.made += 1;
  }
}
