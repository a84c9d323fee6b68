// Changes of engines during a run, in database and model.
import { clone, create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { encodeJson } from "@bytenite-engines/core/wire";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import {
  change,
  publishAll,
  type Change,
  type SecretBox,
  type SqliteFile,
  type User,
} from "@bytenite-engines/registry";
import type { Random } from "@bytenite-engines/test-kit/random";
import { runRegistry } from "../parts/RegistryProcess.ts";
import { keyOf, type EngineWorld, type Held } from "./EngineWorld.ts";
import { userNames, type Tokens } from "./Tokens.ts";

export const engineNames = ["zipper", "blur", "render", "fold"] as const;
const versions = ["0.1", "0.2", "1.0", "1.1", "2.0"] as const;

/** Versions that a user has at least, and at most. */
const fewest = 6;
const most = 14;

/** Options of changes. */
export interface ChangesOptions {
  readonly world: EngineWorld;
  readonly file: SqliteFile;
  readonly box: SecretBox;
  readonly tokens: Tokens;
  readonly random: Random;
  readonly database: string;
  readonly key: string;
}

/** Makes changes, one after the other. */
export class Changes {
  readonly #given: ChangesOptions;
  #generation = 0;
  made = 0;
  imports = 0;

  constructor(given: ChangesOptions) {
    this.#given = given;
  }

  /** Engines at the start. */
  async begin(): Promise<void> {
    for (const user of userNames) for (let count = 0; count < fewest + 2; count++) await this.#publishNew(user);
  }

  /** One change of a kind that chance chooses. */
  async step(): Promise<void> {
    const { random, world } = this.#given;
    const user = random.pick(userNames);
    const own = [...world.current.engines.values()].filter((held) => held.user === user);
    const held = random.pick(own);
    const kind = random.next();
    if (own.length <= fewest || (kind < 0.2 && own.length < most)) await this.#publishNew(user);
    else if (own.length >= most || kind < 0.3) this.#change(held, "delete");
    else if (kind < 0.55) await this.#overwrite(held);
    else {
      const how = random.pick(["activate", "deactivate", "make-public", "make-private"] as const);
      // An engine with a secret cannot be made public.
      this.#change(held, how === "make-public" && held.engine.platformConfig !== undefined ? "make-private" : how);
    }
    this.made += 1;
  }

  /** An import as an operator does one, in a process of its own: new versions of several users, all or nothing. */
  async importLines(): Promise<void> {
    const { world, database, key } = this.#given;
    const engines = new Map(world.current.engines);
    const lines: Array<string> = [];
    for (const user of userNames) {
      const engine = this.#newEngine(user, engines);
      if (engine === undefined) continue;
      engines.set(keyOf(user, engine), { engine, user, number: world.nextNumber() });
      lines.push(`${JSON.stringify(encodeJson(EngineSchema, engine))}\n`);
    }
    const beganMs = Date.now();
    const code = await runRegistry(["import", "-", "--database", database], key, lines.join(""));
    if (code !== 0) throw new Error(`the import ended with ${code}`);
    world.change(beganMs, Date.now(), engines);
    this.imports += 1;
  }

  async #publishNew(user: string): Promise<void> {
    const engine = this.#newEngine(user, this.#given.world.current.engines);
    if (engine !== undefined) await this.#publish({ engine, user, number: this.#given.world.nextNumber() });
  }

  /** The registry keeps id and time of creation, and counts revisions. */
  async #overwrite({ engine: before, user, number }: Held): Promise<void> {
    const engine = this.#describe(clone(EngineSchema, before), user);
    engine.revision = before.revision + 1;
    await this.#publish({ engine, user, number });
  }

  async #publish(held: Held): Promise<void> {
    const { file, box, tokens } = this.#given;
    const { engine, user } = held;
    const beganMs = Date.now();
    engine.updatedAt = timestampFromMs(beganMs);
    await publishAll(file, tokens.users.get(user) as User, [clone(EngineSchema, engine)], box, beganMs);
    this.#note(beganMs, (engines) => engines.set(keyOf(user, engine), held));
  }

  #change({ engine: before, user, number }: Held, how: Change): void {
    const { file, tokens } = this.#given;
    const beganMs = Date.now();
    change(file, tokens.users.get(user) as User, `${before.name}@${before.version}`, how, beganMs);
    const engine = clone(EngineSchema, before);
    engine.updatedAt = timestampFromMs(beganMs);
    if (how === "activate" || how === "deactivate") engine.status = how === "activate" ? "active" : "inactive";
    if (how === "make-public" || how === "make-private") engine.isPublic = how === "make-public";
    this.#note(beganMs, (engines) => {
      if (how === "delete") engines.delete(keyOf(user, before));
      else engines.set(keyOf(user, engine), { engine, user, number });
    });
  }

  #note(beganMs: number, change: (engines: Map<string, Held>) => void): void {
    const { world } = this.#given;
    const engines = new Map(world.current.engines);
    change(engines);
    world.change(beganMs, Date.now(), engines);
  }

  /** A version that a user has not; undefined: there is none left. */
  #newEngine(user: string, engines: ReadonlyMap<string, Held>): Engine | undefined {
    const { random, tokens } = this.#given;
    const free = engineNames.flatMap((name) =>
      versions.flatMap((version) => (engines.has(keyOf(user, { name, version })) ? [] : [{ name, version }])),
    );
    if (free.length === 0 || [...engines.values()].filter((held) => held.user === user).length >= most)
      return undefined;
    const now = timestampFromMs(Date.now());
    const engine = create(EngineSchema, {
      ...random.pick(free),
      id: crypto.randomUUID(),
      owner: tokens.users.get(user)?.id ?? "",
      userName: user,
      status: random.pick(["active", "inactive"]),
      isPublic: random.chance(0.25),
      revision: 1,
      createdAt: now,
      updatedAt: now,
    });
    return this.#describe(engine, user);
  }

  /** Text that says whose it is and which change wrote it, of any length; now and then a secret, unless it is public. */
  #describe(engine: Engine, user: string): Engine {
    const { random } = this.#given;
    this.#generation += 1;
    const mark = `${user} ${engine.name}@${engine.version} #${this.#generation}`;
    engine.description = `${mark} ${"é~".repeat(random.below(400))}`.trimEnd();
    engine.type = random.pick(["assembler", "partitioner"]);
    if (!engine.isPublic && (engine.platformConfig !== undefined || random.chance(0.25))) {
      engine.platformConfig = create(EngineSchema, {
        platformConfig: {
          container: "registry.invalid/it",
          privateImage: true,
          username: user,
          token: `secret ${mark}`,
        },
      }).platformConfig as NonNullable<Engine["platformConfig"]>;
    }
    return engine;
  }
}
