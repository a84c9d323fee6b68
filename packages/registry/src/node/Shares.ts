// Shares of work: few tasks at once, round robin by client.

/** Runs a task in the turn of its client. */
export type Share = <A>(client: string, task: () => Promise<A>) => Promise<A>;

/** Runs at most so many tasks at once; of those that wait, one of each client after the other. */
export const makeShares = (most: number): Share => {
  const waiting = new Map<string, Array<() => void>>();
  let running = 0;
  const next = (): void => {
    const [first] = waiting;
    if (first === undefined || running >= most) return;
    const [client, tasks] = first;
    const start = tasks.shift();
    // At the end of the queue.
    waiting.delete(client);
    if (tasks.length > 0) waiting.set(client, tasks);
    running += 1;
    start?.();
  };
  return async (client, task) => {
    await new Promise<void>((start) => {
      const tasks = waiting.get(client) ?? [];
      tasks.push(start);
      waiting.set(client, tasks);
      next();
    });
    try {
      return await task();
    } finally {
      running -= 1;
      next();
    }
  };
};
