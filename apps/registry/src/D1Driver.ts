// SQL driver for Cloudflare D1 and its read replicas.
import {
  DatabaseUnavailable,
  type ReadSession,
  type RequestHead,
  type Row,
  type SqlDriver,
  type Statement,
} from "@bytenite-engines/registry/api";

/** The used part of a prepared statement of D1. */
interface D1Statement {
  readonly bind: (...values: ReadonlyArray<unknown>) => D1Statement;
  readonly all: () => Promise<{ readonly results: ReadonlyArray<Row> }>;
}

/** Runner of statements: a database or a session. */
interface D1Queries {
  readonly prepare: (sql: string) => D1Statement;
  readonly batch: (statements: ReadonlyArray<D1Statement>) => Promise<ReadonlyArray<{ results: ReadonlyArray<Row> }>>;
}

/** A session: each statement sees at least the data of the ones before. */
interface D1Session extends D1Queries {
  /** Bookmark of the newest data that the session has read; null before the first read. */
  readonly getBookmark: () => string | null;
}

/** The used part of a D1 database. Without a session, the primary answers. */
export interface D1Binding extends D1Queries {
  /** Absent in emulators without replicas. */
  readonly withSession?: (from: string) => D1Session;
}

/** Header with the bookmark of a session, in requests and responses; named as in D1's documents. */
const bookmarkHeader = "X-D1-Bookmark";

/** Default of a session: the nearest replica, of any age. */
const anyCopy = "first-unconstrained";

/** Session on the primary. */
const primary = "first-primary";

/**
 * The bookmark of a request if it is short and plain, or `first-primary`; others are ignored. Without one,
 * `Cache-Control: no-cache` (RFC 9111, 5.2.1.4) reads the primary.
 */
const fromIn = (head: RequestHead): string => {
  const given = head.header(bookmarkHeader.toLowerCase());
  if (given !== null && /^[0-9a-z-]{1,128}$/.test(given)) return given;
  return /(?:^|[\s,])no-cache(?:[\s,]|$)/i.test(head.header("cache-control") ?? "") ? primary : anyCopy;
};

/**
 * The session of a request: it reads from a replica at least as new as the bookmark of the request, or from the
 * primary. The bookmark of its answer covers its writes.
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

/** Most milliseconds that a replica for credentials may be behind, and so the delay of a revocation, without the isolate's cache. */
export const credentialsBehindMs = 10_000;

/**
 * A driver for lookups of credentials in any replica at most `credentialsBehindMs` behind. It reads the primary once in that time,
 * and requires replicas to be at least as new as its bookmark. It also reads the primary for rows that a replica lacks.
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
      // Rows written after `atMs` may be missing there.
      if (bookmark !== null) seen = { bookmark, atMs };
      return found;
    },
  };
};

/**
 * Whether D1 has rejected the statement itself, so that a retry is useless. Other errors (overloaded, reset, unreachable) are
 * transient (https://developers.cloudflare.com/d1/observability/debug-d1/), and so is a table that a migration will make.
 */
const isOurs = (error: unknown): boolean => {
  if (error instanceof TypeError) return true;
  const message = String((error as { readonly message?: unknown }).message);
  if (/no such table/.test(message)) return false;
  return /SQLITE_(ERROR|CONSTRAINT|MISMATCH|RANGE|MISUSE|TOOBIG|AUTH|SCHEMA)|D1_TYPE|no such (column|index)|syntax error/.test(
    message,
  );
};

/** The result of `work`; its errors become DatabaseUnavailable, unless they are ours. */
const translated = async <A>(work: () => Promise<A>): Promise<A> => {
  try {
    return await work();
  } catch (error) {
    throw isOurs(error) ? error : new DatabaseUnavailable(error);
  }
};

/** The port on D1. A batch is one transaction there, and one round trip. */
export const makeD1Driver = (database: D1Queries): SqlDriver => {
  const bound = ({ sql, values }: Statement): D1Statement => {
    const statement = database.prepare(sql);
    return values.length === 0 ? statement : statement.bind(...values);
  };
  return {
    bytesAsHex: true,
    read: (statements) =>
      translated(async () => {
        const [only, ...more] = statements;
        if (only !== undefined && more.length === 0) return [(await bound(only).all()).results];
        return (await database.batch(statements.map(bound))).map(({ results }) => results);
      }),
    write: (statements) =>
      translated(async () => (await database.batch(statements.map(bound))).map(({ results }) => results)),
  };
};
