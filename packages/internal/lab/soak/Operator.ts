// Operator and attacker during a run: management, backups, slow readers.
import { mkdir, readdir } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createCredential, ensureUser, type SqliteFile } from "@bytenite-engines/registry";
import { runRegistry, type RegistryProcess } from "../parts/RegistryProcess.ts";

/** Backups that are kept. */
const keptBackups = 2;

/** Connections of one attack, requests that each sends at once, and the address that they come from. */
const attackers = 20;
const pipelined = 40;
const attackAddress = "127.0.0.9";

/** Options of the operator. */
export interface OperatorOptions {
  readonly file: SqliteFile;
  readonly registry: RegistryProcess;
  readonly database: string;
  readonly home: string;
  readonly key: string;
  /** Whether nothing is made to go wrong: then calls may not fail. */
  readonly isCalm: () => boolean;
}

/** Manages, backs up, and attacks. */
export class Operator {
  readonly #given: OperatorOptions;
  #token = "";
  #users = 0;
  #asked = 0;
  #created = 0;
  /** Management calls that were answered as they should, and those that a fault or a restart took. */
  managed = 0;
  failed = 0;
  backups = 0;
  attacks = 0;
  readonly problems: Array<string> = [];

  constructor(given: OperatorOptions) {
    this.#given = given;
  }

  async begin(): Promise<void> {
    const { file, home } = this.#given;
    await mkdir(join(home, "backups"));
    const user = ensureUser(file, "operator", Date.now());
    this.#token = (await createCredential(file, user, "token", "soak", Date.now(), undefined, "manage")).secret;
  }

  /** The life of a user: made, let in, limited, shut out, deleted. Ends early where a call fails. */
  async manage(): Promise<void> {
    const name = `op-${this.#users++}`;
    this.#asked += 1;
    const user = await this.#call("POST", "users", 201, { name });
    if (user === undefined) return;
    this.#created += 1;
    const credential = await this.#call("POST", `users/${name}/credentials`, 201, { label: "soak", expiresInDays: 1 });
    if (credential === undefined) return;
    const changed = await this.#call("PATCH", `users/${name}`, 200, { maxEngines: 5 });
    if (changed !== undefined && changed["maxEngines"] !== 5) this.problems.push(`${name} has no quota of 5`);
    await this.#call("DELETE", `credentials/${String(credential["id"])}`, 200);
    await this.#call("DELETE", `users/${name}`, 200);
  }

  /** A backup in a process of its own, which has to be sound whatever happens to the registry. */
  async backUp(): Promise<void> {
    const { database, home, key } = this.#given;
    const folder = join(home, "backups");
    const made = await runRegistry(["backup", folder, "--keep", `${keptBackups}`, "--database", database], key);
    if (made !== 0) this.problems.push(`a backup ended with ${made}`);
    const names = (await readdir(folder)).toSorted();
    if (names.length > keptBackups) this.problems.push(`${names.length} backups are kept`);
    const checked = await runRegistry(["check", "--database", join(folder, names.at(-1) ?? "")], key);
    if (checked !== 0) this.problems.push("a backup is not sound");
    this.backups += 1;
  }

  /** Connections that ask for much and read nothing, until `over`. */
  async attack(over: Promise<unknown>): Promise<void> {
    const port = Number(new URL(this.#given.registry.origin).port);
    const sockets = Array.from({ length: attackers }, (): Socket => {
      const socket = connect({ port, host: "127.0.0.1", localAddress: attackAddress });
      socket.on("error", () => {});
      socket.pause();
      socket.write("GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(pipelined));
      return socket;
    });
    this.attacks += 1;
    await over;
    for (const socket of sockets) socket.destroy();
  }

  /** What does not add up: users that were made are as many as the audit trail has, but for answers that were lost. */
  imbalances(): ReadonlyArray<string> {
    const [row] = this.#given.file.rows({
      sql: "SELECT count(*) AS made FROM audit WHERE action = 'create user' AND subject LIKE 'op-%'",
      values: [],
    });
    const made = Number(row?.["made"]);
    const isRight = made >= this.#created && made <= this.#asked;
    return [
      ...this.problems,
      ...(isRight ? [] : [`${made} users in the audit trail, ${this.#created} made, ${this.#asked} asked for`]),
    ];
  }

  async #call(
    method: string,
    path: string,
    expected: number,
    body?: object,
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    const wasCalm = this.#given.isCalm();
    const said = await fetch(`${this.#given.registry.origin}/manage/v1/${path}`, {
      method,
      headers: {
        Authorization: this.#token,
        "Bytenite-Management": "1",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    })
      .then(async (answer) => ({ status: answer.status, json: (await answer.json()) as Record<string, unknown> }))
      .catch((error: unknown) => ({ status: (error as Error).name, json: {} }));
    if (said.status === expected) {
      this.managed += 1;
      return said.json;
    }
    this.failed += 1;
    if (wasCalm && this.#given.isCalm()) this.problems.push(`${method} ${path} came to ${said.status} in calm`);
    return undefined;
  }
}
