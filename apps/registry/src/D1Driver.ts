// SQL driver for Cloudflare D1 and its read replicas.
import {
  DatabaseUnavailable,
  type ReadSession,
  type RequestHead,
  type Row,
  type SqlDriver,
  type Statement,
} from "@bytenite-engines/registry/api";

/** A prepared statement of D1, as far as it is used here. */
interface D1Statement {
  readonly bind: (...values: ReadonlyArray<unknown>) => D1Statement;
  readonly all: () => Promise<{ readonly results: ReadonlyArray<Row> }>;
}

/** What runs statements. */
interface D1Queries {
  readonly prepare: (sql: string) => D1Statement;
  readonly batch: (statements: ReadonlyArray<D1Statement>) => Promise<ReadonlyArray<{ results: ReadonlyArray<Row> }>>;
}

/** Statements that see what came before: those of one session never go back in time. */
interface D1Session extends D1Queries {
  /** How new the data was that the session has seen last, or null when it has seen none. */
  readonly getBookmark: () => string | null;
}

/** A D1 database, as far as it is used here. Asked directly, its primary answers. */
export interface D1Binding extends D1Queries {
  /** Absent in emulators that know no replicas. */
  readonly withSession?: (from: string) => D1Session;
}

/** Carries the bookmark of a session, both ways; the name that D1's documents use. */
const bookmarkHeader = "X-D1-Bookmark";

/** Where a request is read that asks for nothing else: the nearest copy, however old. */
const anyCopy = "first-unconstrained";

/** Where a request is read that takes nothing old: the primary. */
const primary = "first-primary";

/**
 * A bookmark is kept as it came if it is short and plain, as is `first-primary`; anything else is none. Without one,
 * `Cache-Control: no-cache` (RFC 9111, 5.2.1.4) asks the primary.
 */
const fromIn = (head: RequestHead): string => {
  const given = head.header(bookmarkHeader.toLowerCase());
  if (given !== null && /^[0-9a-z-]{1,128}$/.test(given)) return given;
  return /(?:^|[\s,])no-cache(?:[\s,]|$)/i.test(head.header("cache-control") ?? "") ? primary : anyCopy;
};

/**
 * The session of a request: it reads from a replica at least as new as the bookmark of the request, or from the
 * primary. The bookmark of its answer is one that sees what was written.
 */
export const sessionOf =
  (database: D1Binding) =>
  (head: RequestHead, from?: "primary"): ReadSession => {
    const session = database.withSession?.(from === undefined ? fromIn(head) : primary);
    return {
      sql: makeD1Driver(session ?? database),
      headers: () => {
        const bookmark = session?.getBookmark() ?? null;
        return bookmark === null ? {} : { [bookmarkHeader]: bookmark };
      },
    };
  };

/** Milliseconds by which a copy that credentials are read from may be behind: how long a revocation can take, but for what an isolate trusts. */
export const credentialsBehindMs = 10_000;

/**
 * A driver for lookups of credentials: they come from any copy that is at most `credentialsBehindMs` behind. The primary is asked once in
 * that time, and its bookmark is the least that a copy must have seen; and it is asked for what a copy does not have.
 */
export const makeCredentialsDriver = (database: D1Binding, now: () => number = Date.now): SqlDriver => {
  const direct = makeD1Driver(database);
  let seen: { readonly bookmark: string; readonly atMs: number } | undefined;
  return {
    ...direct,
    read: async (statements) => {
      if (database.withSession === undefined) return direct.read(statements);
      const atMs = now();
      if (seen !== undefined && atMs >= seen.atMs && atMs - seen.atMs < credentialsBehindMs) {
        const found = await makeD1Driver(database.withSession(seen.bookmark)).read(statements);
        if (found.every((rows) => rows.length > 0)) return found;
      }
      const session = database.withSession(primary);
      const found = await makeD1Driver(session).read(statements);
      const bookmark = session.getBookmark();
      // What was written after `atMs` may be missing there.
      if (bookmark !== null) seen = { bookmark, atMs };
      return found;
    },
  };
};

/**
 * Whether D1 has refused a statement for what it is: to try it again is of no use. What else it says, that it is overloaded, reset
 * or out of reach, may be over soon (https://developers.cloudflare.com/d1/observability/debug-d1/).
 */
const isOurs = (error: unknown): boolean =>
  error instanceof TypeError ||
  /SQLITE_(ERROR|CONSTRAINT|MISMATCH|RANGE|MISUSE|TOOBIG|AUTH|SCHEMA)|D1_(TYPE|EXEC|COLUMN)|no such (table|column|index)|syntax error/.test(
    String((error as { readonly message?: unknown }).message),
  );

/** The port on D1. A batch is one transaction there, and one round trip. */
export const makeD1Driver = (database: D1Queries): SqlDriver => {
  const bound = ({ sql, values }: Statement): D1Statement => {
    const statement = database.prepare(sql);
    return values.length === 0 ? statement : statement.bind(...values);
  };
  return {
    bytesAsHex: true,
    read: async (statements) => {
      const [only, ...more] = statements;
      try {
        if (only !== undefined && more.length === 0) return [(await bound(only).all()).results];
        return (await database.batch(statements.map(bound))).map(({ results }) => results);
      } catch (error) {
        throw isOurs(error) ? error : new DatabaseUnavailable(error);
      }
    },
    write: async (statements) => {
      try {
        return (await database.batch(statements.map(bound))).map(({ results }) => results);
      } catch (error) {
        throw isOurs(error) ? error : new DatabaseUnavailable(error);
      }
    },
  };
};
