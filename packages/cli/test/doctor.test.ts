import { startServer } from "@bytenite-engines/test-kit/ports";
import { expect, test } from "vitest";
import { as, bne, makeHome } from "./Bne.ts";
import { examined, of, withRegistry } from "./Doctor.ts";

test("all is well with a server that speaks our schema: 0", () =>
  withRegistry({}, async (registry, home) => {
    const { code, well, checks } = await examined(home, registry);
    expect({ code, well, states: [...new Set(checks.map(({ state }) => state))] }).toEqual({
      code: 0,
      well: true,
      states: ["ok"],
    });
    expect(of(checks, "field")).toHaveLength(38);
    expect(of(checks, "field", "Engine.revision")).toEqual([
      { check: "field", subject: "Engine.revision", state: "ok", detail: "confirmed: 11" },
    ]);
    expect(of(checks, "media type", "application/x-protobuf")[0]?.detail).toBe("200 application/x-protobuf");
    expect(of(checks, "latency")[0]?.detail).toMatch(/^\d+ ms \(median of 3, the first \d+ ms\)$/);
    const { stdout } = await bne(home, ["doctor"], { env: as(registry, "bob") });
    expect(stdout).toMatch(/^check +subject +state +detail\n/);
    // One line for what is checked many times.
    expect(stdout).toMatch(/^schema .* ok +[4-9]\d ok$/m);
  }));

test("a server that does not answer one of the media types is not well", () =>
  withRegistry({}, async (registry, home) => {
    registry.faults.set([{ on: { endpoint: "list" }, skip: 3, times: 1, fault: { cutBodyAfterBytes: 3 } }]);
    const { code, checks } = await examined(home, registry);
    expect(code).toBe(7);
    expect(of(checks, "media type").map(({ subject, state }) => [subject, state])).toEqual([
      ["application/json", "ok"],
      ["application/x-protobuf", "failed"],
      ["application/octet-stream", "ok"],
      ["*/*", "ok"],
      ["application/x-protobuf, application/json;q=0.5", "ok"],
    ]);
  }));

test("the kind of the credentials and the time that is left are shown, never their value", () =>
  withRegistry({}, async (registry, home) => {
    const exp = Math.floor(Date.now() / 1000) + 2430;
    const jwt = `e30.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.c2ln`;
    const { stdout, stderr } = await bne(home, ["doctor", "--verbose"], {
      env: { ...as(registry, "bob"), BYTENITE_TOKEN: jwt },
    });
    expect(stdout).toMatch(/credentials +token +failed +from BYTENITE_TOKEN; it ends in 40 min; not accepted/);
    expect(stdout + stderr).not.toContain(jwt);
  }));

test("a server that answers JSON only is well", () =>
  withRegistry({ jsonOnly: true }, async (registry, home) => {
    const { code, checks } = await examined(home, registry);
    expect(code).toBe(0);
    expect(of(checks, "schema")[0]?.detail).toMatch(/JSON only/);
  }));

test("an API key that cannot be exchanged is one finding of several", () =>
  withRegistry({}, async (registry, home) => {
    const { BYTENITE_TOKEN: _token, ...env } = as(registry, "bob");
    const { code, stdout } = await bne(home, ["doctor"], { env: { ...env, BYTENITE_API_KEY: "wrong-secret" } });
    expect(code).toBe(7);
    expect(stdout).toMatch(/^credentials +api-key +failed +.*API key is not valid$/m);
    expect(stdout).toMatch(/^clock +ok /m);
    expect(stdout).not.toContain("wrong-secret");
  }));

test("a wrong token is reported, never its value", () =>
  withRegistry({}, async (registry, home) => {
    const { code, stdout, stderr } = await bne(home, ["doctor"], {
      env: { ...as(registry, "bob"), BYTENITE_TOKEN: "wrong-secret" },
    });
    expect(code).toBe(7);
    expect(stdout).toMatch(/^credentials +token +failed +from BYTENITE_TOKEN; .*; not accepted$/m);
    expect(stdout).toMatch(/answer +failed +401: the token is not accepted/);
    expect(stdout).toMatch(/schema +skipped/);
    expect(stdout + stderr).not.toContain("wrong-secret");
  }));

test("a web page is not an answer to a list", () =>
  withRegistry({}, async (registry, home) => {
    registry.faults.set([{ fault: { body: { text: "<html></html>" }, contentType: "text/html" } }]);
    const { code, stdout } = await bne(home, ["doctor"], { env: as(registry, "bob") });
    expect(code).toBe(7);
    expect(stdout).toMatch(/^answer +(?:application\/json +)?failed +200 text\/html: neither JSON nor protobuf$/m);
  }));

test("without a login it says how to log in, and what the server answers: 7", () =>
  withRegistry({}, async (registry, home) => {
    const { code, stdout, stderr } = await bne(home, ["doctor"], { env: { BYTENITE_BASE_URL: registry.url } });
    expect(code).toBe(7);
    expect(stdout).toMatch(/^credentials +failed +none; log in with `bne auth login`, or set BYTENITE_TOKEN$/m);
    expect(stdout).toMatch(/^answer +failed +401$/m);
    expect(stdout).toMatch(/^schema +skipped +there is no good answer to compare$/m);
    expect(stdout).toMatch(/\nNot well: credentials, answer\.\n$/);
    expect(stderr).toBe("");
    expect(registry.requests.every(({ method }) => method === "GET")).toBe(true);
  }));

test("a name that does not resolve, and a server that is not there, are reported with a hint: 7", async () => {
  using home = makeHome();
  const nowhere = await bne(home, ["doctor"], {
    env: { BYTENITE_BASE_URL: "https://nowhere.invalid/v1/dev", BYTENITE_TOKEN: "x" },
  });
  expect(nowhere.code).toBe(7);
  expect(nowhere.stdout).toMatch(
    /name +nowhere\.invalid +failed +does not resolve \(\w+\); point elsewhere with --base-url/,
  );
  const nobody = await bne(home, ["doctor"], {
    env: { BYTENITE_BASE_URL: "http://127.0.0.1:9/v1/dev", BYTENITE_TOKEN: "x" },
  });
  expect(nobody.code).toBe(7);
  expect(nobody.stdout).toMatch(/answer +failed +none: ECONNREFUSED/);
});

test("a base URL without its path, a redirect, and https to a port without TLS are said", async () => {
  using home = makeHome();
  await using server = await startServer((request, response) => {
    const location = { location: "https://b.example/v1/dev/engines?secret" };
    response.writeHead(Number(/^\/(\d+)\//.exec(request.url ?? "")?.[1] ?? 404), location).end();
  });
  const { origin } = server;
  const moved = "redirects to https://b.example/v1/dev; is that the server\\?";
  for (const [base, said] of [
    [origin, `answer +failed +404: does the base URL lack its path\\? It looks like ${origin}/v1/dev\n`],
    [`${origin}/v1/dev`, "answer +failed +404\n"],
    [`${origin}/v1/dev/below`, "answer +failed +404\n"],
    [`${origin}/299`, "answer +failed +299\n"],
    [`${origin}/300`, `answer +failed +300: ${moved}`],
    [`${origin}/399`, `answer +failed +399: ${moved}`],
    [`${origin}/400`, "answer +failed +400\n"],
    [origin.replace("http", "https"), "tls +failed +this port speaks no TLS; does its address begin with http://"],
  ] as const) {
    const { stdout } = await bne(home, ["doctor"], { env: { BYTENITE_BASE_URL: base, BYTENITE_TOKEN: "x" } });
    expect(stdout).toMatch(new RegExp(said));
  }
});

test("a server that answers nothing is asked once", async () => {
  using home = makeHome();
  await using server = await startServer(({ socket }) => void socket.destroy());
  const { stdout } = await bne(home, ["doctor"], { env: { BYTENITE_BASE_URL: server.baseUrl, BYTENITE_TOKEN: "x" } });
  expect(stdout).toMatch(/^answer +failed +none: ECONNRESET\n/m);
  expect(server.requests).toHaveLength(1);
});

test("a skewed clock, wrong labels, a cache and hints are reported", () =>
  withRegistry({}, async (registry, home) => {
    registry.faults.set([
      { fault: { clockSkewMs: 600_000, headers: { "cache-status": "edge; hit", "retry-after": "7" } } },
      { on: { endpoint: "list" }, times: 3, fault: {} },
      { on: { endpoint: "list" }, skip: 3, times: 1, fault: { contentType: "application/json" } },
    ]);
    const { code, checks } = await examined(home, registry);
    expect(code).toBe(7);
    expect(of(checks, "clock")[0]).toMatchObject({
      state: "failed",
      detail: expect.stringMatching(/^10 min ahead of ours$/) as unknown,
    });
    expect(of(checks, "cache")[0]?.detail).toContain("cache-status: edge; hit");
    expect(of(checks, "retry hints")[0]?.detail).toContain("retry-after: 7");
    expect(of(checks, "media type", "application/x-protobuf")[0]).toMatchObject({
      state: "failed",
      detail: expect.stringContaining("but the body is not JSON") as unknown,
    });
  }));

test("an expired token is reported first", () =>
  withRegistry({}, async (registry, home) => {
    const jwt = `e30.${Buffer.from(JSON.stringify({ exp: 1_000_000_000 })).toString("base64url")}.c2ln`;
    const { stdout } = await bne(home, ["doctor"], { env: { ...as(registry, "bob"), BYTENITE_TOKEN: jwt } });
    expect(stdout).toMatch(/credentials +token +failed +from BYTENITE_TOKEN; it ends \d+ y ago$/m);
  }));

test("of a body without an end no more than a page is read", async () => {
  await using server = await startServer((_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, " ")));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
  });
  using home = makeHome();
  const { stdout } = await bne(home, ["doctor", "--base-url", server.baseUrl, "--deadline", "5s"]);
  expect(stdout).toMatch(/answer +failed +none: more than 1048576 bytes/);
});
