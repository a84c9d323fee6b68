// Management API on workerd and D1, by the shared table of cases.
import { env, exports } from "cloudflare:workers";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeJson } from "@bytenite-engines/core/wire";
import { EngineSchema } from "@bytenite-engines/proto";
import { makeSecretBox } from "@bytenite-engines/registry/api";
import { managementCases } from "@bytenite-engines/test-kit/management";
import { beforeAll, test } from "vitest";

beforeAll(async () => {
  for (const statement of env.SEED_SQL.split("\n").filter((line) => line !== "")) {
    await env.DB.prepare(statement).all();
  }
});

/** As an import into D1 would. */
const publish = async (user: string, name: string, version: string): Promise<void> => {
  const { results } = await env.DB.prepare("SELECT number, id FROM users WHERE name = ?").bind(user).all();
  const { number, id } = results[0] as { readonly number: number; readonly id: string };
  const engine = create(EngineSchema, {
    id: crypto.randomUUID(),
    owner: id,
    userName: user,
    name,
    version,
    status: "inactive",
    revision: 1,
  });
  const box = await makeSecretBox(env.BYTENITE_REGISTRY_KEY);
  const secret = name === "tool" ? null : await box.seal(`secret of ${name}@${version}`, `${id}/${name}@${version}`);
  const [major, minor] = version.split(".").map(Number);
  await env.DB.prepare(
    `INSERT INTO engines (id, owner, name, major, minor, status, is_public, revision, created_at, updated_at, secret, json, protobuf)
     VALUES (?, ?, ?, ?, ?, 'inactive', 0, 1, 0, 0, ?, ?, ?)`,
  )
    .bind(
      engine.id,
      number,
      name,
      major,
      minor,
      secret,
      JSON.stringify(encodeJson(EngineSchema, engine)),
      toBinary(EngineSchema, engine),
    )
    .all();
};

// oxlint-disable-next-line vitest/expect-expect -- the cases of the table expect.
test.for(managementCases((path, init) => exports.default.fetch(`https://registry.example${path}`, init), publish))(
  "%s",
  ([, run]) => run(),
);
