// Preloaded module that reports the heap after a collection.
declare const gc: () => void;

process.on("message", () => {
  gc();
  process.send?.({ heapBytes: process.memoryUsage().heapUsed });
});
// The parent has ended; nothing else would end this process.
process.on("disconnect", () => process.exit());
// Being asked is no reason to live on.
process.channel?.unref();
