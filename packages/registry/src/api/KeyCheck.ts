// Check that a key belongs to a database.
import { secretPlace } from "./EngineRow.ts";
import { bytesOf } from "./EngineStore.ts";
import { KeyError, type SecretBox } from "./SecretBox.ts";
import type { Row, SqlDriver } from "./SqlDriver.ts";
import { statements } from "./Statements.ts";

/** The AES-GCM context of the check value, which no engine has. */
const checkPlace = "key check";

/** Whether the database has a check value. Throws KeyError for another key. */
export const assertKey = async (sql: SqlDriver, box: SecretBox): Promise<boolean> => {
  const tables = await rowsOf(sql, "SELECT name FROM sqlite_master WHERE type = 'table'");
  const has = (table: string): boolean => tables.some(({ name }) => name === table);
  if (has("key_check")) {
    const [check] = await rowsOf(sql, statements.keyCheck);
    if (check !== undefined) {
      await assertOpens(box, check["sealed"], checkPlace);
      return true;
    }
  }
  if (has("engines")) {
    // A database without check value: the newest encrypted secret identifies the key.
    const [engine] = await rowsOf(
      sql,
      `SELECT u.id, e.name, e.major, e.minor, e.secret FROM engines e JOIN users u ON u.number = e.owner
       WHERE e.secret IS NOT NULL ORDER BY e.number DESC LIMIT 1`,
    );
    if (engine !== undefined) await assertOpens(box, engine["secret"], placeOf(engine));
  }
  return false;
};

/**
 * A port whose first read also checks the key, in the same batch: for databases of a current version that are reached over a network.
 * Rejects with KeyError until the key is right.
 */
export const withKeyCheck = (sql: SqlDriver, box: SecretBox | undefined): SqlDriver => {
  let isKnown = box === undefined;
  return {
    ...sql,
    read: async (asked) => {
      if (box === undefined || isKnown) return sql.read(asked);
      const [checks, ...rows] = await sql.read([{ sql: statements.keyCheck, values: [] }, ...asked]);
      const [check] = checks ?? [];
      if (check === undefined) {
        await assertKey(sql, box);
        await rememberKey(sql, box);
      } else await assertOpens(box, check["sealed"], checkPlace);
      isKnown = true;
      return rows;
    },
  };
};

/** Keeps a check value of the key, unless there is one already: then that one decides. Throws KeyError. */
export const rememberKey = async (sql: SqlDriver, box: SecretBox): Promise<void> => {
  const sealed = await box.seal("", checkPlace);
  await sql.write([{ sql: statements.addKeyCheck, values: [sealed] }]);
  await assertKey(sql, box);
};

const rowsOf = async (sql: SqlDriver, text: string): Promise<ReadonlyArray<Row>> =>
  (await sql.read([{ sql: text, values: [] }]))[0] ?? [];

const placeOf = (engine: Row): string =>
  secretPlace(String(engine["id"]), String(engine["name"]), `${String(engine["major"])}.${String(engine["minor"])}`);

const assertOpens = async (box: SecretBox, sealed: unknown, place: string): Promise<void> => {
  try {
    await box.open(bytesOf(sealed) ?? new Uint8Array(), place);
  } catch {
    throw new KeyError(
      "BYTENITE_REGISTRY_KEY is not the key of this database: set the one it was first used with, or none",
    );
  }
};
