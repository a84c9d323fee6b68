// Ports of the parts that `pnpm start` runs.
import { createServer } from "node:net";

/** All parts listen on loopback only. */
export const host = "127.0.0.1";

/** A requested port that is not available; the message is a sentence for people. */
export class PortError extends Error {
  override readonly name = "PortError";
}

/** Number of ports tried above the default when it is in use. */
const maxTries = 100;

/**
 * The ports to try, in this order: the one that an environment variable names, and only that; else the default and those above
 * it. Port 0 is refused: the URLs have to be known beforehand.
 */
export const portsFrom = (variable: string, fallback: number): ReadonlyArray<number> => {
  const text = process.env[variable] ?? "";
  if (text === "") return Array.from({ length: maxTries }, (_, index) => fallback + index);
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port < 1 || port > 65_535) {
    throw new PortError(`${variable} must be a port from 1 to 65535, and is ${JSON.stringify(text)}.`);
  }
  return [port];
};

/**
 * Starts a server on the first of these ports that is free, or that is still free when the server gets there. Resolves with what
 * `start` gives; rejects as `start` does on a port that nobody else has taken, and with a PortError when all are in use.
 */
export const onFirstFree = async <A>(
  ports: ReadonlyArray<number>,
  variable: string,
  start: (port: number) => Promise<A>,
): Promise<A> => {
  let refusal: unknown;
  for (const port of ports) {
    try {
      await assertFree(port, variable);
    } catch (error) {
      refusal = error;
      continue;
    }
    try {
      return await start(port);
    } catch (error) {
      const isTaken = await assertFree(port, variable).then(
        () => false,
        () => true,
      );
      if (!isTaken) throw error;
      refusal = error;
    }
  }
  throw refusal;
};

/** Resolves when the port can be listened on; rejects with a sentence that names the way out when it cannot. */
export const assertFree = (port: number, variable: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => {
      const problem =
        error.code === "EADDRINUSE"
          ? `Port ${port} is in use by another process`
          : `Port ${port} cannot be used (${error.code ?? error.message})`;
      reject(new PortError(`${problem}; choose another one with ${variable}=PORT.`));
    });
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
