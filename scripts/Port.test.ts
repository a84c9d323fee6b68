import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { assertFree, host, portFrom } from "./Port.ts";

const variable = "PORT_OF_THIS_TEST";

test.for([
  ["", 4010],
  ["1", 1],
  ["65535", 65_535],
] as const)("%s names port %i", ([text, port]) => {
  process.env[variable] = text;
  expect(portFrom(variable, 4010)).toBe(port);
});

test.for(["0", "65536", "-1", "80x", "1e3", " 80"])("%s names no port, and the sentence says so", (text) => {
  process.env[variable] = text;
  expect(() => portFrom(variable, 4010)).toThrow(
    `${variable} must be a port from 1 to 65535, and is ${JSON.stringify(text)}.`,
  );
});

test("a port in use is one sentence that names the way out; once it is free there is none", async () => {
  const taken = createServer().listen(0, host);
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  await expect(assertFree(port, variable)).rejects.toThrow(
    `Port ${port} is in use by another process; choose another one with ${variable}=PORT.`,
  );
  taken.close();
  await once(taken, "close");
  await expect(assertFree(port, variable)).resolves.toBeUndefined();
});
