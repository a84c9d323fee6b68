// Commands over the management API of a registry that runs elsewhere: `--base-url`.
import { isLoopback } from "@bytenite-engines/core/wire";
import type { Flags } from "./Database.ts";
import { UserError, UsageError } from "./UserError.ts";

/** Milliseconds until an answer must be there. */
const timeoutMs = 30_000;

/** Rows of a page: as many as there may be. */
const pageRows = 1_000;

/** Where the token of scope `manage` is read from: a flag would be seen by everybody on this machine. */
const tokenVariable = "BYTENITE_MANAGE_TOKEN";

/** Calls of the management API. Failures are UserErrors. */
export interface Remote {
  readonly call: <A>(method: string, path: string, body?: object) => Promise<A>;
  /** All rows of a list, page by page. */
  readonly rows: <A>(path: string, name: string) => AsyncGenerator<A>;
}

/** The registry that `--base-url` names, or undefined without that flag. Throws UsageError. */
export const remoteOf = (flags: Flags): Remote | undefined => {
  const text = flags.text("base-url");
  if (text === undefined) return undefined;
  if (flags.text("database") !== undefined) throw new UsageError("--base-url or --database, not both");
  const url = URL.parse(text);
  if (url === null || !(url.protocol === "https:" || (url.protocol === "http:" && isLoopback(hostOf(url))))) {
    throw new UsageError("--base-url is https://HOST, or http:// on this machine: a token is sent there");
  }
  const token = process.env[tokenVariable] ?? "";
  if (token === "") throw new UsageError(`set ${tokenVariable} to a token of scope manage`);
  // The base URL of the API is taken for that of the registry.
  const base = url.href.replace(/\/+$/, "").replace(/\/v1\/dev$/, "");
  const call = async <A>(method: string, path: string, body?: object): Promise<A> => {
    let answer: Response;
    try {
      answer = await fetch(`${base}/manage/v1/${path}`, {
        method,
        headers: {
          Authorization: token,
          "Bytenite-Management": "1",
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A token goes nowhere else.
        redirect: "error",
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      const { cause, message } = error as { readonly cause?: { readonly message?: string }; readonly message: string };
      throw new UserError(`${url.origin} cannot be reached: ${cause?.message || message}`);
    }
    const json = (await answer.json().catch(() => undefined)) as { readonly message?: string } | undefined;
    if (!answer.ok || json === undefined) {
      throw new UserError(`${url.origin} answered ${answer.status}: ${json?.message ?? "no JSON: is it a registry?"}`);
    }
    return json as A;
  };
  return {
    call,
    rows: async function* <A>(path: string, name: string) {
      for (let after: string | null = null; ;) {
        const query = `limit=${pageRows}${after === null ? "" : `&after=${encodeURIComponent(after)}`}`;
        const page: Record<string, unknown> = await call("GET", `${path}${path.includes("?") ? "&" : "?"}${query}`);
        yield* page[name] as ReadonlyArray<A>;
        after = page["next"] as string | null;
        if (after === null) return;
      }
    },
  };
};

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "");
