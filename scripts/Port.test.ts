import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { close, listen, portOf } from "../packages/internal/test-kit/src/Ports.ts";
import { assertFree, host, onFirstFree, portsFrom } from "./Port.ts";

const variable = "PORT_OF_THIS_TEST";

test.for([
  ["1", 1],
  ["65535", 65_535],
] as const)("%s names port %i and no other", ([text, port]) => {
  process.env[variable] = text;
  expect(portsFrom(variable, 4010)).toEqual([port]);
});

test("without the variable the default is tried first, then the ports above it", () => {
  process.env[variable] = "";
  expect(portsFrom(variable, 4010).slice(0, 3)).toEqual([4010, 4011, 4012]);
});

test("a port in use is passed over, and so is one that is taken while the server starts", async () => {
  const servers = [createServer(), createServer(), createServer()];
  await Promise.all(servers.map((server) => listen(server)));
  const [taken = 0, lost = 0, free = 0] = servers.map(portOf);
  await Promise.all(servers.slice(1).map(close));
  const thief = createServer();
  const started = await onFirstFree([taken, lost, free], variable, async (port) => {
    if (port !== lost) return port;
    thief.listen(lost, host);
    await once(thief, "listening");
    throw new Error("in use");
  });
  expect(started).toBe(free);
  await expect(onFirstFree([taken], variable, (port) => Promise.resolve(port))).rejects.toThrow(`${taken} is in use`);
  await expect(onFirstFree([free], variable, () => Promise.reject(new Error("no database")))).rejects.toThrow(
    "database",
  );
  thief.close();
  servers[0]?.close();
});

test.for(["0", "65536", "-1", "80x", "1e3", " 80"])("%s names no port, and the sentence says so", (text) => {
  process.env[variable] = text;
  expect(() => portsFrom(variable, 4010)).toThrow(
    `${variable} must be a port from 1 to 65535, and is ${JSON.stringify(text)}.`,
  );
});

test("a port in use is one sentence that names the way out; once it is free there is none", async () => {
  const taken = createServer();
  await listen(taken);
  const port = portOf(taken);
  await expect(assertFree(port, variable)).rejects.toThrow(
    `Port ${port} is in use by another process; choose another one with ${variable}=PORT.`,
  );
  await close(taken);
  await expect(assertFree(port, variable)).resolves.toBeUndefined();
});
