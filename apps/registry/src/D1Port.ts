// Decides: how the registry's statements run on Cloudflare D1.
import { DatabaseUnavailable, type Row, type SqlPort, type Statement } from "@bytenite-engines/registry/api";

/** A prepared statement of D1, as far as it is used here. */
interface D1Statement {
  readonly bind: (...values: ReadonlyArray<unknown>) => D1Statement;
  readonly all: () => Promise<{ readonly results: ReadonlyArray<Row> }>;
}

/** A D1 database, as far as it is used here. */
export interface D1Binding {
  readonly prepare: (sql: string) => D1Statement;
  readonly batch: (statements: ReadonlyArray<D1Statement>) => Promise<ReadonlyArray<{ results: ReadonlyArray<Row> }>>;
}

/** The port on D1. A batch is one transaction there, and one round trip. */
export const makeD1Port = (database: D1Binding): SqlPort => {
  const bound = ({ sql, values }: Statement): D1Statement => {
    const statement = database.prepare(sql);
    return values.length === 0 ? statement : statement.bind(...values);
  };
  return {
    read: async (statements) => {
      const [only, ...more] = statements;
      try {
        if (only !== undefined && more.length === 0) return [(await bound(only).all()).results];
        return (await database.batch(statements.map(bound))).map(({ results }) => results);
      } catch (error) {
        throw new DatabaseUnavailable(error);
      }
    },
    write: async (statements) => {
      await database.batch(statements.map(bound));
    },
  };
};
