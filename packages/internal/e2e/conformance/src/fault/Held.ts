// Open handles that keep a process alive: sockets, timers, servers.

/** What holds this process now, by kind. Unreferenced timers and sockets do not. */
export const held = (): ReadonlyArray<string> =>
  process.getActiveResourcesInfo().filter((kind) => /Timeout|TCP|TLS|Server/.test(kind));

/** What holds it beyond what did before. */
export const leftover = (before: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = [...before];
  return held().filter((kind) => {
    const index = known.indexOf(kind);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  });
};
