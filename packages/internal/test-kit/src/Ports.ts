// Free ports of loopback, and servers on them.
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";

/** Everything listens on loopback only. */
export const host = "127.0.0.1";

/** Listens on a free port; resolves with the origin, such as `http://127.0.0.1:40123`. */
export const listen = async (server: Server): Promise<string> => {
  server.listen(0, host);
  await once(server, "listening");
  return `http://${host}:${(server.address() as AddressInfo).port}`;
};

/** Closes a server and all of its connections; resolves when it is closed. */
export const close = async (server: Server & { readonly closeAllConnections?: () => void }): Promise<void> => {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections?.();
  await closed;
};

/** A port that nobody listens on now. Somebody may a moment later: where a server can take port 0 itself, it should. */
export const freePort = async (): Promise<number> => {
  const server = createServer();
  const { port } = new URL(await listen(server));
  await close(server);
  return Number(port);
};
