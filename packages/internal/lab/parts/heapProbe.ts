// Preloaded into a process of a run: tells whoever started it, when asked, how much heap is in use once all garbage is gone.
declare const gc: () => void;

process.on("message", () => {
  gc();
  process.send?.({ heapBytes: process.memoryUsage().heapUsed });
});
// Nobody is left to be told, and nobody to end it.
process.on("disconnect", () => process.exit());
// Being asked is no reason to live on.
process.channel?.unref();
