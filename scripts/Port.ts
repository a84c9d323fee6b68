// Decides: on which port a part listens, and says so plainly when it cannot.
import { createServer } from "node:net";

/** All parts listen on loopback only. */
export const host = "127.0.0.1";

/** A port that was asked for and cannot be had; the message is a sentence for people. */
export class PortError extends Error {
  override readonly name = "PortError";
}

/** The port that an environment variable names, or the default. Port 0 is refused: the URLs have to be known beforehand. */
export const portFrom = (variable: string, fallback: number): number => {
  const text = process.env[variable] ?? "";
  if (text === "") return fallback;
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port < 1 || port > 65_535) {
    throw new PortError(`${variable} must be a port from 1 to 65535, and is ${JSON.stringify(text)}.`);
  }
  return port;
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
