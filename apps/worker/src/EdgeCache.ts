// Looks answers up in both tiers and in both forms, stores them, and makes them go.
import type { Format } from "@bytenite-engines/core/wire";
import { timeToLive } from "@bytenite-engines/http-cache";
import { cacheKey } from "./CacheKey.ts";
import type { EdgeFound, EdgeTier } from "./EdgeTier.ts";
import { hasForm, inOtherForm, otherForm, strongEtag, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import type { MemoryTier } from "./MemoryTier.ts";
import { isPurged, mergedPurges, type Purge } from "./Purge.ts";
import type { Route } from "./Route.ts";
import { transcodeEntry } from "./Transcoding.ts";
import { remember } from "./UpstreamGate.ts";

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

/** Objects of which the last answer is remembered, so that a slower one does not take its place. */
const maxAnswered = 1_000;

/** The stored answers of an isolate. What has to go is gone for everybody who asks it afterwards. */
export class EdgeCache {
  readonly #memory: MemoryTier;
  readonly #edge: EdgeTier | undefined;
  #purges: ReadonlyArray<Purge> = [];
  #purgesReadAtMs = 0;
  #latestMs = 0;
  /** When the request was sent whose answer was the last to change what is stored, by user and object. */
  readonly #answeredFromMs = new Map<string, number>();
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
    return entry !== undefined && timeToLive(entry.freshness, nowMs) > 0 ? entry : undefined;
  }

  /** The best stored answer: fresh before stale, as it came before one that must be made, which `asItCame` excludes. */
  async find(
    identity: Identity,
    route: Route,
    format: Format,
    nowMs: number,
    asItCame = false,
  ): Promise<Found | undefined> {
    let stale: Found | undefined;
    for (const askedFormat of asItCame ? [format] : [format, otherForm(format)]) {
      const key = cacheKey(identity, route, askedFormat);
      let object = this.#memory.get(key, identity.digest);
      if (this.#edge !== undefined && (object === undefined || timeToLive(object.freshness, nowMs) <= 0)) {
        object = this.#better(key, identity, object, await this.#edge.get(key, identity));
      }
      if (object === undefined) continue;
      const entry = hasForm(object, format) ? object : await this.#otherForm(key, object, format);
      if (entry === undefined) continue;
      const found = { entry, object, askedFormat };
      if (timeToLive(object.freshness, nowMs) > 0) return found;
      stale ??= found;
    }
    return stale;
  }

  /**
   * An answer in a form: itself, where it has that form or is an answer to a request for it; otherwise its other form,
   * made once and kept. Undefined: it cannot be made without loss.
   */
  async inForm(identity: Identity, route: Route, object: Entry, format: Format): Promise<Entry | undefined> {
    if (hasForm(object, format)) return object;
    return this.#otherForm(cacheKey(identity, route, object.askedFormat), object, format);
  }

  async #otherForm(key: string, object: Entry, format: Format): Promise<Entry | undefined> {
    if (object.other === undefined && object.format !== undefined && object.status === 200) {
      const bytes = transcodeEntry(object, object.format);
      object.other =
        bytes === undefined
          ? "lossy"
          : inOtherForm(object, { bytes, format, client: { etag: await strongEtag(bytes, format) } });
      this.#memory.recount(key, object);
    }
    return object.other === "lossy" ? undefined : object.other;
  }

  /** Of what was found in memory and in the data centre, the later one, which is in memory then. */
  #better(key: string, identity: Identity, near: Entry | undefined, far: EdgeFound): Entry | undefined {
    if (far === "sealed") this.sealedFound += 1;
    if (far === undefined || far === "sealed" || this.isGone(far, identity))
      return this.#memory.get(key, identity.digest);
    if (near !== undefined && near.freshness.responseTimeMs >= far.freshness.responseTimeMs) return near;
    this.#latest(far.fetchedAtMs);
    this.#memory.set(key, far);
    return far;
  }

  /** Stores an answer: in memory at once, in the data centre when the returned promise is done. */
  async store(identity: Identity, route: Route, entry: Entry, nowMs: number): Promise<void> {
    this.#latest(entry.fetchedAtMs);
    // It was asked for before it was made to go.
    if (this.isGone(entry, identity) || this.#isOvertaken(identity, route, entry)) return;
    const key = cacheKey(identity, route, entry.askedFormat);
    this.#memory.set(key, entry);
    await this.#edge?.set(key, entry, identity, nowMs);
  }

  /** Drops an object in both forms, since an answer says that it is no longer so. */
  async drop(identity: Identity, route: Route, news: Entry): Promise<void> {
    if (this.#isOvertaken(identity, route, news)) return;
    const keys = [cacheKey(identity, route, "json"), cacheKey(identity, route, "protobuf")];
    for (const key of keys) this.#memory.delete(key);
    const edge = this.#edge;
    if (edge !== undefined) await Promise.all(keys.map((key) => edge.delete(key)));
  }

  /** Drops all that an owner has, here at once and in the rest of the data centre when they read the note. */
  async turnAway(identity: Identity, nowMs: number): Promise<void> {
    identity.notes.turnedAwayAtMs = this.#latest(nowMs);
    this.#memory.forget(identity.digest);
    await this.#edge?.noteTurnedAway(identity, identity.notes.turnedAwayAtMs);
  }

  /** Drops what lies in the scope of a purge, here at once and in the rest of the data centre when they read the note. */
  async purge(purge: Purge): Promise<void> {
    this.#apply([{ ...purge, atMs: this.#latest(purge.atMs) }]);
    if (this.#edge === undefined) return;
    this.#apply(await this.#edge.purges());
    await this.#edge.notePurges(this.#purges);
  }

  /** Whether it is time to read what other isolates noted about this identity, and what they were told to purge. */
  areNotesDue(identity: Identity, nowMs: number): boolean {
    const readAtMs = Math.min(identity.notes.readAtMs, this.#purgesReadAtMs);
    return this.#edge !== undefined && Math.abs(nowMs - readAtMs) > notesReadEveryMs;
  }

  /** Reads them, and drops what they make unusable. */
  async readNotes(identity: Identity, nowMs: number): Promise<void> {
    const edge = this.#edge;
    if (edge === undefined || !this.areNotesDue(identity, nowMs)) return;
    const arePurgesDue = Math.abs(nowMs - this.#purgesReadAtMs) > notesReadEveryMs;
    const [turnedAwayAtMs, purges] = await Promise.all([
      edge.turnedAway(identity),
      arePurgesDue ? edge.purges() : undefined,
    ]);
    if (turnedAwayAtMs > identity.notes.turnedAwayAtMs) {
      identity.notes.turnedAwayAtMs = turnedAwayAtMs;
      this.#memory.drop((entry) => entry.owner === identity.digest && this.isGone(entry, identity));
    }
    if (purges !== undefined) this.#apply(purges);
    // Only now: a request that comes meanwhile reads for itself, rather than use what may be gone.
    identity.notes.readAtMs = nowMs;
    if (arePurgesDue) this.#purgesReadAtMs = nowMs;
  }

  /** Whether a request that was sent later has been answered already; notes the answer where none has. */
  #isOvertaken(identity: Identity, route: Route, { fetchedAtMs }: Entry): boolean {
    const name = `${identity.digest}${route.target}`;
    if (fetchedAtMs < (this.#answeredFromMs.get(name) ?? 0)) return true;
    remember(this.#answeredFromMs, name, fetchedAtMs, maxAnswered);
    return false;
  }

  /** The latest moment that was ever seen: a clock that goes back must not save entries from a purge. */
  #latest(nowMs: number): number {
    this.#latestMs = Math.max(this.#latestMs, nowMs);
    return this.#latestMs;
  }

  #apply(purges: ReadonlyArray<Purge>): void {
    const merged = mergedPurges(this.#purges, purges);
    if (merged.length === this.#purges.length && merged.at(-1)?.atMs === this.#purges.at(-1)?.atMs) return;
    this.#purges = merged;
    this.#memory.drop((entry) => isPurged(entry, merged));
  }

  /** Whether an answer was asked for before its owner was turned away, or before a purge that it lies in. */
  isGone(entry: Entry, identity: Identity): boolean {
    return entry.fetchedAtMs <= identity.notes.turnedAwayAtMs || isPurged(entry, this.#purges);
  }
}
