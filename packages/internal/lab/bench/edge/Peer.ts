// Interface of a peer cache: port, process, readiness.

/** A cache in a process of its own. */
export interface Peer {
  readonly port: number;
  /** The process that answers. */
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Waits until a request is answered, whatever with, for five seconds at most. */
export const untilAnswered = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    const isUp = await fetch(`http://127.0.0.1:${port}/`).then(
      async (response) => response.arrayBuffer().then(() => true),
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing answers at port ${port}`);
};
