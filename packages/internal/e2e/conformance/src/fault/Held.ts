// Open handles that keep a process alive: sockets, timers, servers.

/** Open handles of this process, by kind, without unreferenced timers and sockets. */
export const held = (): ReadonlyArray<string> =>
  process.getActiveResourcesInfo().filter((kind) => /Timeout|TCP|TLS|Server/.test(kind));

/** Handles opened since. */
export const leftover = (before: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = [...before];
  return held().filter((kind) => {
    const index = known.indexOf(kind);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  });
};
