// Looks answers up in both tiers and in both forms, stores them, and makes them go.
import type { Format } from "@bytenite-engines/core/wire";
import { remainingMs } from "@bytenite-engines/http-cache";
import { cacheKey } from "./CacheKey.ts";
import type { EdgeTier } from "./EdgeTier.ts";
import { strongEtag, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import type { MemoryTier } from "./MemoryTier.ts";
import { isPurged, mergedPurges, type Purge } from "./Purge.ts";
import type { Route } from "./Route.ts";
import type { RequestContext } from "./Runtime.ts";
import { transcode } from "./Transcoding.ts";

/** A stored answer in the form that was asked for. */
export interface Found {
  /** What to serve: the object itself, or its other form. */
  readonly entry: Entry;
  /** The object as it came, and the form under which it was fetched. */
  readonly object: Entry;
  readonly askedFormat: Format;
}

/** How often an isolate reads what others of its data centre noted, in milliseconds. */
export const notesReadEveryMs = 5_000;

const otherForm = (format: Format): Format => (format === "json" ? "protobuf" : "json");

export class EdgeCache {
  readonly #memory: MemoryTier;
  readonly #edge: EdgeTier | undefined;
  #purges: ReadonlyArray<Purge> = [];
  #purgesReadAtMs = 0;
  /** Counts entries that were found under a key but belong to another token: a fault in the key, made harmless. */
  sealedFound = 0;

  constructor(memory: MemoryTier, edge: EdgeTier | undefined) {
    this.#memory = memory;
    this.#edge = edge;
  }

  /** Entries and bytes in memory. */
  get memory(): { readonly entries: number; readonly bytes: number } {
    return this.#memory;
  }

  /** A fresh answer of the wanted form in memory, without waiting for anything: the way of most requests. */
  recall(identity: Identity, route: Route, format: Format, nowMs: number): Entry | undefined {
    const entry = this.#memory.get(cacheKey(identity, route, format), identity.digest);
    return entry !== undefined && remainingMs(entry.freshness, nowMs) > 0 ? entry : undefined;
  }

  /** The best stored answer: fresh before stale, the wanted form as it came before one that must be made. */
  async find(identity: Identity, route: Route, format: Format, nowMs: number): Promise<Found | undefined> {
    let stale: Found | undefined;
    for (const askedFormat of [format, otherForm(format)]) {
      const key = cacheKey(identity, route, askedFormat);
      const object = await this.#object(key, identity, nowMs);
      const entry = object === undefined ? undefined : await this.#inForm(key, object, format);
      if (object === undefined || entry === undefined) continue;
      const found = { entry, object, askedFormat };
      if (remainingMs(object.freshness, nowMs) > 0) return found;
      stale ??= found;
    }
    return stale;
  }

  /**
   * An answer in a form: itself, where it has that form or is an answer to a request for it; otherwise its other form,
   * made once and kept. Undefined: it cannot be made without loss.
   */
  inForm(identity: Identity, route: Route, object: Entry, format: Format): Promise<Entry | undefined> {
    return this.#inForm(cacheKey(identity, route, object.askedFormat), object, format);
  }

  async #inForm(key: string, object: Entry, format: Format): Promise<Entry | undefined> {
    if (object.format === format || object.askedFormat === format) return object;
    if (object.other === undefined && object.format !== undefined && object.status === 200) {
      const bytes = transcode(object.endpoint, object.bytes, object.format, object.headers);
      object.other =
        bytes === undefined ? "lossy" : { ...object, format, bytes, etag: await strongEtag(bytes, format) };
      this.#memory.recount(key, object);
    }
    return object.other === "lossy" ? undefined : object.other;
  }

  async #object(key: string, identity: Identity, nowMs: number): Promise<Entry | undefined> {
    const near = this.#memory.get(key, identity.digest);
    if (this.#edge === undefined || (near !== undefined && remainingMs(near.freshness, nowMs) > 0)) return near;
    // An isolate that is new, or that has not looked for a while, must not revive what was made to go.
    const [far] = await Promise.all([this.#edge.get(key, identity), this.#readNotes(this.#edge, identity, nowMs)]);
    if (far === "sealed") this.sealedFound += 1;
    if (far === undefined || far === "sealed" || this.#isGone(far, identity))
      return this.#memory.get(key, identity.digest);
    if (near !== undefined && near.freshness.responseTimeMs >= far.freshness.responseTimeMs) return near;
    this.#memory.set(key, far);
    return far;
  }

  /** Stores an answer: in memory at once, in the data centre when the returned promise is done. */
  async store(identity: Identity, route: Route, entry: Entry, nowMs: number): Promise<void> {
    // It was asked for before it was made to go.
    if (this.#isGone(entry, identity)) return;
    const key = cacheKey(identity, route, entry.askedFormat);
    this.#memory.set(key, entry);
    await this.#edge?.set(key, entry, identity, nowMs);
  }

  /** Drops an object in both forms. */
  async drop(identity: Identity, route: Route): Promise<void> {
    const keys = [cacheKey(identity, route, "json"), cacheKey(identity, route, "protobuf")];
    for (const key of keys) this.#memory.delete(key);
    const edge = this.#edge;
    if (edge !== undefined) await Promise.all(keys.map((key) => edge.delete(key)));
  }

  /** Drops all that an owner has, here at once and in the rest of the data centre when they read the note. */
  async turnAway(identity: Identity, nowMs: number): Promise<void> {
    identity.notes.turnedAwayAtMs = nowMs;
    this.#memory.forget(identity.digest);
    await this.#edge?.noteTurnedAway(identity, nowMs);
  }

  /** Drops what lies in the scope of a purge, here at once and in the rest of the data centre when they read the note. */
  async purge(purge: Purge): Promise<void> {
    this.#apply([purge]);
    if (this.#edge === undefined) return;
    this.#apply(await this.#edge.purges());
    await this.#edge.notePurges(this.#purges);
  }

  /** Reads, behind a request, what other isolates noted, where that was not done for a while. */
  watchNotes(identity: Identity, nowMs: number, context: RequestContext): void {
    if (this.#edge === undefined || !this.#areNotesDue(identity, nowMs)) return;
    context.waitUntil(this.#readNotes(this.#edge, identity, nowMs));
  }

  #areNotesDue(identity: Identity, nowMs: number): boolean {
    return nowMs - Math.min(identity.notes.readAtMs, this.#purgesReadAtMs) > notesReadEveryMs;
  }

  async #readNotes(edge: EdgeTier, identity: Identity, nowMs: number): Promise<void> {
    if (!this.#areNotesDue(identity, nowMs)) return;
    const arePurgesDue = nowMs - this.#purgesReadAtMs > notesReadEveryMs;
    identity.notes.readAtMs = nowMs;
    if (arePurgesDue) this.#purgesReadAtMs = nowMs;
    const [turnedAwayAtMs, purges] = await Promise.all([
      edge.turnedAway(identity),
      arePurgesDue ? edge.purges() : undefined,
    ]);
    if (turnedAwayAtMs > identity.notes.turnedAwayAtMs) {
      identity.notes.turnedAwayAtMs = turnedAwayAtMs;
      this.#memory.drop((entry) => entry.owner === identity.digest && this.#isGone(entry, identity));
    }
    if (purges !== undefined) this.#apply(purges);
  }

  #apply(purges: ReadonlyArray<Purge>): void {
    const merged = mergedPurges(this.#purges, purges);
    if (merged.length === this.#purges.length && merged.at(-1)?.atMs === this.#purges.at(-1)?.atMs) return;
    this.#purges = merged;
    this.#memory.drop((entry) => isPurged(entry, merged));
  }

  #isGone(entry: Entry, identity: Identity): boolean {
    return entry.fetchedAtMs <= identity.notes.turnedAwayAtMs || isPurged(entry, this.#purges);
  }
}
