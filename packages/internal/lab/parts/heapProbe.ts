// Preloaded module that reports the heap after a collection.
declare const gc: () => void;

process.on("message", () => {
  gc();
  process.send?.({ heapBytes: process.memoryUsage().heapUsed });
});
// The parent has ended; nothing else would end this process.
process.on("disconnect", () => process.exit());
// A pending probe must not keep the process alive.
process.channel?.unref();
