// Cases of the management API, for every runtime and database.
import { expect } from "vitest";
import { managementTokens } from "./ManagementTokens.ts";

/** Request of a case. */
export interface Sent {
  readonly method?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Sends a request to a registry and returns the response. */
export type Fetch = (path: string, init: RequestInit) => Promise<Response>;

export { managementTokens };

const base = "/manage/v1";

interface Received {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- what a case expects of it is compared, member by member.
  readonly json: any;
}

const isRaw = (body: unknown): body is string | Uint8Array<ArrayBuffer> =>
  typeof body === "string" || body instanceof Uint8Array;

const asking =
  (send: Fetch) =>
  async (
    path: string,
    { method = "GET", token = managementTokens.manage, headers = {}, body }: Sent = {},
  ): Promise<Received> => {
    const answer = await send(path, {
      method,
      headers: {
        Authorization: token,
        "Bytenite-Management": "1",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw(body) ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, json: text === "" ? undefined : JSON.parse(text) };
  };

type Ask = ReturnType<typeof asking>;

/** Publishes an engine of a user, optionally with a secret. */
export type Publish = (user: string, name: string, version: string) => Promise<void>;

interface World {
  readonly ask: Ask;
  readonly publish: Publish;
}

const made = async (ask: Ask, name: string): Promise<string> => {
  expect((await ask(`${base}/users`, { method: "POST", body: { name } })).status).toBe(201);
  const { status, json } = await ask(`${base}/users/${name}/credentials`, { method: "POST", body: {} });
  expect([status, json]).toMatchObject([201, { user: name, scope: "read", kind: "token" }]);
  return json.secret as string;
};

const opens = async (ask: Ask, token: string): Promise<number> => (await ask("/v1/dev/engines", { token })).status;

/** Each route with its methods. */
const routes: ReadonlyArray<readonly [path: string, ...methods: ReadonlyArray<string>]> = [
  ["users", "GET", "POST"],
  ["users/root", "GET", "PATCH", "DELETE"],
  ["users/root/credentials", "POST"],
  ["users/root/engines/zipper@0.1", "PATCH", "DELETE"],
  ["credentials", "GET"],
  ["credentials/nothing", "DELETE"],
  ["engines", "GET"],
  ["audit", "GET"],
  ["statistics", "GET"],
];

const cases: ReadonlyArray<readonly [name: string, run: (world: World) => Promise<void>]> = [
  [
    "it opens for scope manage only, with the header, and no page of another origin can read it",
    async ({ ask }) => {
      expect((await ask(`${base}/statistics`)).status).toBe(200);
      for (const scope of ["publish", "read"] as const) {
        const refused = await ask(`${base}/statistics`, { token: managementTokens[scope] });
        expect([refused.status, refused.json.code]).toEqual([403, 7]);
        expect(refused.headers.get("www-authenticate")).toBe('Bearer error="insufficient_scope", scope="manage"');
      }
      expect((await ask(`${base}/statistics`, { token: "nobody" })).status).toBe(401);
      const plain = await ask(`${base}/statistics`, { headers: { "Bytenite-Management": "0" } });
      expect([plain.status, plain.json.message]).toEqual([403, "the header Bytenite-Management: 1 is missing"]);
      const preflight = await ask(`${base}/users`, {
        method: "OPTIONS",
        headers: { Origin: "https://app.example", "Access-Control-Request-Method": "POST" },
      });
      expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
      expect(preflight.headers.get("allow")).toBe("GET, HEAD, POST, OPTIONS");
    },
  ],
  [
    "each route answers its own methods only, to a valid credential of scope manage, with the header",
    async ({ ask }) => {
      const made = { method: "POST", body: { scope: "manage" } };
      const tokens: Array<string> = [];
      for (const name of ["judy", "kim"]) {
        await ask(`${base}/users`, { method: "POST", body: { name } });
        const { json } = await ask(`${base}/users/${name}/credentials`, made);
        tokens.push(json.secret);
        if (name === "judy") await ask(`${base}/credentials/${json.id}`, { method: "DELETE" });
        else await ask(`${base}/users/${name}`, { method: "PATCH", body: { disabled: true } });
      }
      const [revoked = "", ofDisabled = ""] = tokens;
      const refusals: ReadonlyArray<readonly [why: string, status: number, sent: Sent]> = [
        ["no token", 401, { token: "" }],
        ["unknown", 401, { token: "nobody" }],
        ["revoked", 401, { token: revoked }],
        ["of a disabled user", 401, { token: ofDisabled }],
        ["expired", 401, { token: managementTokens.expired }],
        ["read", 403, { token: managementTokens.read }],
        ["publish", 403, { token: managementTokens.publish }],
        ["no header", 403, { headers: { "Bytenite-Management": "" } }],
      ];
      const newest = async () => (await ask(`${base}/audit?limit=1`)).json;
      const before = await newest();
      for (const [path, ...own] of routes) {
        const allow = [...own.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])), "OPTIONS"];
        for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
          if (method === "OPTIONS" || !allow.includes(method)) {
            const { status, headers } = await ask(`${base}/${path}`, { method });
            const expected = method === "OPTIONS" ? 204 : 405;
            expect([path, method, status, headers.get("allow")]).toEqual([path, method, expected, allow.join(", ")]);
            continue;
          }
          for (const [why, expected, sent] of refusals) {
            const { status } = await ask(`${base}/${path}`, { method, ...sent });
            expect([path, method, why, status]).toEqual([path, method, why, expected]);
          }
        }
      }
      expect(await newest()).toEqual(before);
      for (const [path, status] of [
        ["users/r%6Fot", 200],
        ["users/root%2Fcredentials", 404],
        ["%75sers", 404],
        ["users/root/", 404],
        ["users//root", 404],
        ["users/%00", 404],
        ["users/%C3%BC", 404],
        ["users/%ff", 400],
      ] as const) {
        expect([path, (await ask(`${base}/${path}`)).status]).toEqual([path, status]);
      }
      for (const [name, after] of [
        ["users", "zzz"],
        ["credentials", "900719925474099"],
        ["engines", "900719925474099"],
        ["audit", "0"],
      ] as const) {
        expect((await ask(`${base}/${name}?after=${after}`)).json).toEqual({ [name]: [], next: null });
      }
    },
  ],
  [
    "what cannot be read is refused in words, and changes nothing",
    async ({ ask }) => {
      for (const [path, method, body, status, said] of [
        ["users", "POST", { name: "no spaces" }, 400, /name is 1 to 64/],
        ["users", "POST", { name: 7 }, 400, /name is one line/],
        ["users", "POST", { name: "x", admin: true }, 400, /no member "admin"/],
        ["users", "POST", "{", 400, /not JSON/],
        ["users", "POST", '{"name": "twice", "name": "thrice"}', 400, /body:1:19: there is a second "name"/],
        ["users", "POST", "[]", 400, /JSON object/],
        ["users", "POST", "", 400, /not JSON/],
        ["users", "POST", "null", 400, /JSON object/],
        ["users", "POST", "[".repeat(5_000), 400, /deeper than 32/],
        ["users", "POST", Uint8Array.of(0x7b, 0xff), 400, /not UTF-8/],
        ["users", "POST", " ".repeat(16 * 1_024 + 1), 413, /longer than 16384 bytes/],
        ["users", "POST", '{"NAME": "x"}', 400, /no member "NAME"/],
        ["users", "POST", '{"__proto__": {"name": "x"}}', 400, /no member "__proto__"/],
        ["users", "POST", '{"name": "\\ud800"}', 400, /name is 1 to 64/],
        ["users", "POST", { name: "x".repeat(65) }, 400, /at most 64/],
        ["users", "POST", { name: "x", maxEngines: -1 }, 400, /maxEngines/],
        ["users", "POST", { name: "root" }, 409, /of this name/],
        ["users", "DELETE", undefined, 405, /method/],
        ["users?limit=0", "GET", undefined, 400, /limit/],
        ["users?limit=1001", "GET", undefined, 400, /limit/],
        ["users/nobody", "GET", undefined, 404, /there is no user "nobody"/],
        ["users/nobody", "PATCH", { disabled: true }, 404, /no user "nobody"/],
        ["credentials?user=nobody", "GET", undefined, 404, /no user "nobody"/],
        ["users/root", "PATCH", { disabled: true }, 409, /yourself/],
        ["users/root", "PATCH", { disabled: "yes" }, 400, /true or false/],
        ["users/root", "DELETE", undefined, 409, /yourself/],
        ["users/root/credentials", "POST", { scope: "all" }, 400, /scope is read, publish, manage/],
        ["users/root/credentials", "POST", { kind: "trial" }, 400, /kind is/],
        ["users/root/credentials", "POST", { expiresInDays: 0 }, 400, /expiresInDays/],
        ["users/root/credentials", "POST", { label: "a\nb" }, 400, /label/],
        ["users/%zz", "GET", undefined, 400, /percent/],
        ["users/root/engines/zipper", "DELETE", undefined, 400, /name@major.minor/],
        ["users/root/engines/zipper@9.9", "DELETE", undefined, 404, /root has no engine zipper@9.9/],
        ["users/root/engines/zipper", "PATCH", { status: "active" }, 404, /root has no engine zipper/],
        ["credentials/nothing", "DELETE", undefined, 404, /no such credential/],
        ["engines?after=x", "GET", undefined, 400, /after/],
        ["users/rooot", "GET", undefined, 404, /no user "rooot" \(did you mean root\?\)/],
        ["audit?user=nobody", "GET", undefined, 404, /no user "nobody"/],
        ["audit?user=", "GET", undefined, 404, /no user ""/],
        ...["yesterday", "2026-11-28T10:00", "2026-13-01", "1"].map(
          (since) => [`audit?since=${since}`, "GET", undefined, 400, /since is a date, 2026-11-28, or a time/] as const,
        ),
        ["nothing", "GET", undefined, 404, /not found/],
      ] as const) {
        const answer = await ask(`${base}/${path}`, { method, body });
        expect([path, answer.status, answer.json.message]).toEqual([path, status, expect.stringMatching(said)]);
      }
      const form = await ask(`${base}/users`, {
        method: "POST",
        body: "name=x",
        headers: { "Content-Type": "text/plain" },
      });
      expect(form.status).toBe(415);
      for (const [headers, status] of [
        [{ "Content-Encoding": "gzip" }, 415],
        [{ "Content-Type": "application/json; charset=iso-8859-1" }, 415],
        [{ "Content-Type": 'application/json; charset="UTF-8"', "Content-Encoding": "identity" }, 400],
      ] as const) {
        expect((await ask(`${base}/users`, { method: "POST", body: {}, headers })).status).toBe(status);
      }
    },
  ],
  [
    "a user is made, listed by page, given quotas, disabled and enabled again",
    async ({ ask }) => {
      const token = await made(ask, "carol");
      expect(await opens(ask, token)).toBe(200);
      const quotas = await ask(`${base}/users/carol`, {
        method: "PATCH",
        body: { maxEngines: 3, maxBytes: 1_000_000 },
      });
      expect(quotas.json).toMatchObject({ name: "carol", maxEngines: 3, maxBytes: 1_000_000, disabledAt: null });
      const off = await ask(`${base}/users/carol`, { method: "PATCH", body: { disabled: true, maxBytes: null } });
      expect(off.json).toMatchObject({ maxEngines: 3, maxBytes: null, disabledAt: expect.stringMatching(/^20/) });
      await expect.poll(() => opens(ask, token), { timeout: 5_000 }).toBe(401);
      const listed = await ask(`${base}/credentials?user=carol`);
      expect(listed.json.credentials).toMatchObject([{ revokedAt: null, userDisabledAt: off.json.disabledAt }]);
      const { credentials } = (await ask(`${base}/statistics`)).json;
      const on = await ask(`${base}/users/carol`, { method: "PATCH", body: { disabled: false } });
      expect(on.json).toMatchObject({ disabledAt: null });
      expect((await ask(`${base}/statistics`)).json.credentials).toBe(credentials + 1);
      expect(await opens(ask, token)).toBe(200);
      const names: Array<string> = [];
      for (let after: string | null = ""; after !== null;) {
        const { json } = await ask(`${base}/users?limit=1&after=${after}`);
        names.push(...(json.users as ReadonlyArray<{ name: string }>).map(({ name }) => name));
        after = json.next as string | null;
      }
      expect(names).toEqual(names.toSorted());
      expect(new Set(names).size).toBe(names.length);
      expect(names).toContain("carol");
    },
  ],
  [
    "a credential has kind, scope and lifetime, its secret is shown once, and it ends when it is revoked",
    async ({ ask }) => {
      await made(ask, "dave");
      const { json } = await ask(`${base}/users/dave/credentials`, {
        method: "POST",
        body: { kind: "token", scope: "manage", label: "laptop", expiresInDays: 1 },
      });
      expect(json).toMatchObject({ scope: "manage", label: "laptop", user: "dave" });
      expect(Date.parse(json.expiresAt as string)).toBeGreaterThan(Date.now());
      const token = json.secret as string;
      expect((await ask(`${base}/users/dave`, { token })).status).toBe(200);
      const listed = await ask(`${base}/credentials?user=dave`);
      expect(listed.json.credentials).toHaveLength(2);
      expect(JSON.stringify(listed.json)).not.toContain(token);
      expect((await ask(`${base}/credentials/${json.id}`, { method: "DELETE" })).json).toEqual({
        id: json.id,
        revoked: true,
        configuredIn: null,
      });
      await expect.poll(() => opens(ask, token), { timeout: 5_000 }).toBe(401);
      const again = await ask(`${base}/credentials?user=dave`);
      const states = (again.json.credentials as ReadonlyArray<{ id: string; revokedAt: string | null }>).filter(
        ({ revokedAt }) => revokedAt !== null,
      );
      expect(states.map(({ id }) => id)).toEqual([json.id]);
    },
  ],
  [
    "a token that was revoked, or whose user was disabled or deleted, changes and manages nothing from that answer on",
    async ({ ask }) => {
      for (const end of ["revoked", "disabled", "deleted"]) {
        await made(ask, end);
        const { json } = await ask(`${base}/users/${end}/credentials`, { method: "POST", body: { scope: "manage" } });
        const token = json.secret as string;
        // From here on its reads may be answered for a second.
        expect([await opens(ask, token), (await ask(`${base}/statistics`, { token })).status]).toEqual([200, 200]);
        const [path, method, body] = (
          {
            revoked: [`credentials/${json.id}`, "DELETE", undefined],
            disabled: [`users/${end}`, "PATCH", { disabled: true }],
            deleted: [`users/${end}`, "DELETE", undefined],
          } as const
        )[end] as readonly [string, string, object | undefined];
        expect((await ask(`${base}/${path}`, { method, body })).status).toBe(200);
        for (const [method, path, body] of [
          ["POST", `${base}/users/root/credentials`, { scope: "manage" }],
          ["GET", `${base}/credentials`, undefined],
          ["DELETE", "/v1/dev/engines/zipper@0.1", undefined],
          ["POST", "/v1/dev/engines/zipper@0.1/activate", undefined],
          ["POST", "/v1/dev/engines", {}],
        ] as const) {
          expect([end, method, path, (await ask(path, { method, token, body })).status]).toEqual([
            end,
            method,
            path,
            401,
          ]);
        }
      }
    },
  ],
  [
    "engines of all users are listed, switched, shown and deleted",
    async ({ ask, publish }) => {
      const token = await made(ask, "erin");
      for (const version of ["0.1", "0.2", "0.3"]) await publish("erin", "tool", version);
      const first = await ask(`${base}/engines?user=erin&limit=2`);
      const second = await ask(`${base}/engines?user=erin&limit=2&after=${first.json.next}`);
      const tags = [...first.json.engines, ...second.json.engines].map(({ tag }: { tag: string }) => tag);
      expect([tags, second.json.next]).toEqual([["tool@0.1", "tool@0.2", "tool@0.3"], null]);
      const change = { method: "PATCH", body: { status: "active", isPublic: true } };
      const active = await ask(`${base}/users/erin/engines/tool`, change);
      expect(active.json).toMatchObject({ tag: "tool@0.3", status: "active", isPublic: true });
      const path = `${base}/users/erin/engines/tool@0.3`;
      const read = await ask("/v1/dev/engines/tool@0.3", { token: managementTokens.read });
      expect(read.json).toMatchObject({ status: "active", isPublic: true, userName: "erin" });
      expect((await ask(path, { method: "DELETE" })).status).toBe(200);
      const { hash = "" } = read.json as { readonly hash?: string };
      expect((await ask(`${base}/audit?limit=2`)).json.audit).toMatchObject([
        { actor: "root", action: "delete engine", subject: "erin/tool@0.3", detail: { hash } },
        { actor: "root", action: "change engine", subject: "erin/tool@0.3", detail: { status: "active", hash } },
      ]);
      expect((await ask("/v1/dev/engines/tool", { token })).json).toMatchObject({ version: "0.2" });
      expect((await ask(`${base}/users/erin`)).json.engines).toBe(2);
    },
  ],
  [
    "a user who owns engines is deleted with them, or they are handed over, secrets too",
    async ({ ask, publish }) => {
      const token = await made(ask, "frank");
      const other = await made(ask, "grace");
      for (let minor = 0; minor < 60; minor++) await publish("frank", "many", `0.${minor}`);
      expect((await ask(`${base}/users/frank`, { method: "DELETE" })).status).toBe(409);
      await publish("grace", "many", "0.7");
      const clash = await ask(`${base}/users/frank?handOverTo=grace`, { method: "DELETE" });
      expect([clash.status, clash.json.message]).toEqual([409, "grace has these already: many@0.7"]);
      expect((await ask(`${base}/users/grace/engines/many@0.7`, { method: "DELETE" })).status).toBe(200);
      expect((await ask(`${base}/users/grace`, { method: "PATCH", body: { maxEngines: 59 } })).status).toBe(200);
      const over = await ask(`${base}/users/frank?handOverTo=grace`, { method: "DELETE" });
      expect([over.status, over.json.message]).toEqual([409, "grace may have 59 engines: raise the quota first"]);
      expect((await ask(`${base}/users/grace`, { method: "PATCH", body: { maxEngines: 60 } })).status).toBe(200);
      const handed = await ask(`${base}/users/frank?handOverTo=grace`, { method: "DELETE" });
      expect([handed.status, handed.json]).toEqual([200, { name: "frank", handedOverTo: "grace", engines: 60 }]);
      await expect.poll(() => opens(ask, token), { timeout: 5_000 }).toBe(401);
      expect((await ask(`${base}/users/frank`)).status).toBe(404);
      const engine = await ask("/v1/dev/engines/many@0.42", { token: other });
      expect(engine.json).toMatchObject({ userName: "grace", platformConfig: { token: "secret of many@0.42" } });
      expect((await ask(`${base}/users/grace?engines=delete`, { method: "DELETE" })).json).toEqual({
        name: "grace",
        deletedEngines: 60,
      });
      // The name is free again, and opens nothing that was there.
      const fresh = await made(ask, "frank");
      expect((await ask("/v1/dev/engines", { token: fresh })).json.pagination.total).toBe(0);
    },
  ],
  [
    "the last credential that can manage cannot be revoked; a disabled user is given nothing",
    async ({ ask }) => {
      const { json } = await ask(`${base}/credentials?user=root`);
      // One that expired may be revoked.
      const manages = (
        json.credentials as ReadonlyArray<
          Record<"id" | "scope", string> & Record<"revokedAt" | "expiresAt", string | null>
        >
      ).find(({ scope, revokedAt, expiresAt }) => scope === "manage" && revokedAt === null && expiresAt === null);
      const revoke = async (id?: string) => (await ask(`${base}/credentials/${id}`, { method: "DELETE" })).status;
      expect(await revoke(manages?.id)).toBe(409);
      await made(ask, "ivan");
      const other = { method: "POST", body: { scope: "manage" } };
      const second = await ask(`${base}/users/ivan/credentials`, other);
      await ask(`${base}/users/ivan`, { method: "PATCH", body: { disabled: true } });
      const refused = await ask(`${base}/credentials/${manages?.id}`, { method: "DELETE" });
      expect([refused.status, refused.json.message]).toEqual([409, expect.stringMatching(/last credential .* create/)]);
      for (const [path, init] of [
        ["users/ivan/credentials", other],
        ["users/publisher?handOverTo=ivan", { method: "DELETE" }],
      ] as const) {
        if (path.startsWith("users/publisher")) await made(ask, "publisher");
        const answer = await ask(`${base}/${path}`, init);
        expect([answer.status, answer.json.message]).toEqual([409, "ivan is disabled: enable the user first"]);
      }
      expect(await revoke(second.json.id as string)).toBe(200);
    },
  ],
  [
    "who changed what is in the audit trail, newest first, and never a secret",
    async ({ ask }) => {
      const token = await made(ask, "heidi");
      const { json } = await ask(`${base}/audit?limit=2`);
      expect(json.audit).toMatchObject([
        { actor: "root", action: "create credential", subject: "heidi", detail: { scope: "read" } },
        { actor: "root", action: "create user", subject: "heidi" },
      ]);
      expect(JSON.stringify(json)).not.toContain(token);
      const before = await ask(`${base}/audit?limit=2&after=${json.next}`);
      expect(before.status).toBe(200);
      await ask(`${base}/users/nobody`, { method: "PATCH", body: { disabled: true } });
      expect((await ask(`${base}/audit?limit=1`)).json.audit).toMatchObject([{ subject: "heidi" }]);
      const [{ id }] = (await ask(`${base}/credentials?user=heidi`)).json.credentials;
      const since = new Date().toISOString();
      await ask(`${base}/credentials/${id}`, { method: "DELETE" });
      await made(ask, "heid");
      const actions = async (query: string) =>
        ((await ask(`${base}/audit?${query}`)).json.audit as ReadonlyArray<{ action: string }>).map(
          ({ action }) => action,
        );
      const revoked = ["revoke credential", "create credential", "create user"];
      expect(await actions("user=heidi")).toEqual(revoked);
      expect(await actions(`user=heidi&since=${since}`)).toEqual(revoked.slice(0, 1));
      expect(await actions(`since=${since}`)).toEqual(["create credential", "create user", "revoke credential"]);
      expect((await actions("user=root&limit=1000")).length).toBeGreaterThan(5);
      expect(await actions("since=2999-01-01")).toEqual([]);
      await ask(`${base}/users/heidi`, { method: "DELETE" });
      expect(await actions("user=heidi&limit=1")).toEqual(["delete user"]);
      const statistics = await ask(`${base}/statistics`);
      expect(statistics.json).toMatchObject({ users: expect.any(Number), credentials: expect.any(Number) });
    },
  ],
];

/** The cases, each on its own registry or all on one. */
export const managementCases = (
  send: Fetch,
  publish: Publish,
): ReadonlyArray<readonly [name: string, run: () => Promise<void>]> =>
  cases.map(([name, run]) => [name, () => run({ ask: asking(send), publish })]);
