// Stored entries in the isolate's memory and encrypted in the Cache API.
import { cacheGroups, matchesVary, usableUntil } from "@bytenite-engines/http-cache";
import type { Format } from "@bytenite-engines/core/wire";
import { remember, type Asked } from "./Admission.ts";
import { decryptEntry, encryptEntry, inForm, isFresh, otherForm, outdated, sizeOf, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import { logError } from "./Log.ts";
import { Purges, purgesReadEveryMs, type Purge, type PurgeNotes } from "./Purge.ts";
import type { Route } from "./Request.ts";
import type { EdgeStore } from "./Runtime.ts";

/** Version of stored entries. Raising it discards all older ones. */
const generation = 6;
/** Never resolved: the Cache API needs a URL. Short, because it is parsed and compared with every look. */
const keyOrigin = `https://e.invalid/${generation}/`;
/** An entry with a validator is kept this much longer than it may be served, in milliseconds. */
const keptForValidationMs = 600_000;
/** Longest body that is stored in the Cache API, in bytes: encryption takes three times that. */
const maxEncryptedBytes = 1024 * 1024;
/** Entries of one key, which differ by Vary or by their part. */
const maxVariants = 32;
/** Most objects whose last change is remembered, so that an older response changes nothing. */
const maxChanges = 10_000;
/** After an uncacheable response: how long requests for it are not coalesced, in milliseconds. */
const uncacheableForMs = 10_000;
const maxUncacheable = 4_000;

/** The identity of requests without a token. */
export const nobody: Pick<Identity, "digest"> = { digest: "" };

/** Digest of the token, requested format, normalised target. Of other paths all spellings have one key; http-cache tells them apart. */
export const cacheKey = (owner: string, { endpoint, target, path }: Route, format: Format | ""): string => {
  if (endpoint !== "other") return `${owner}/${format}${target}`;
  const query = /\?.*$/.exec(target)?.[0] ?? "";
  const spelled = path === undefined ? target : encodeURI(path).replaceAll(/[?#]/g, encodeURIComponent) + query;
  return `${owner}/other${spelled}`;
};

/** A key without the format: a change concerns both formats. */
const objectKey = (owner: string, route: Route): string => cacheKey(owner, route, "");

interface Slot {
  readonly entries: ReadonlyArray<Entry>;
  readonly size: number;
}

/** Entries in memory, bounded in bytes and in number; the least recently used keys are removed first. */
export class Memory {
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #slots = new Map<string, Slot>();
  bytes = 0;

  constructor(maxBytes: number, maxEntries: number) {
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
  }

  get entries(): number {
    return this.#slots.size;
  }

  /** The entries of a key. Those of another owner count as absent. */
  get(key: string, owner: string): ReadonlyArray<Entry> {
    const slot = this.#slots.get(key);
    if (slot === undefined || slot.entries[0]?.owner !== owner) return [];
    // With capacity left, the order is not updated: that would slow every hit.
    if (this.bytes * 2 > this.#maxBytes || this.#slots.size * 2 > this.#maxEntries) {
      this.#slots.delete(key);
      this.#slots.set(key, slot);
    }
    return slot.entries;
  }

  /** Stores the entries of a key, unless they take more than a quarter of the memory. */
  set(key: string, entries: ReadonlyArray<Entry>): void {
    this.delete(key);
    let size = key.length * 2;
    for (const entry of entries) size += sizeOf(entry);
    if (entries.length === 0 || size * 4 > this.#maxBytes || this.#maxEntries === 0) return;
    this.#slots.set(key, { entries, size });
    this.bytes += size;
    for (const oldest of this.#slots.keys()) {
      if (this.bytes <= this.#maxBytes && this.#slots.size <= this.#maxEntries) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.bytes -= slot.size;
  }

  /** Replaces every entry; undefined removes it. O(n). */
  replaceAll(replace: (entry: Entry) => Entry | undefined): void {
    for (const [key, { entries }] of Array.from(this.#slots)) {
      const kept = entries.map(replace).filter((entry) => entry !== undefined);
      if (kept.length !== entries.length || kept.some((entry, index) => entry !== entries[index])) this.set(key, kept);
    }
  }
}

/** The last change of an object, and the request that made it. */
interface Change extends Asked {
  readonly removed: boolean;
  /** Whether another isolate made it: then it is ordered by time, not by number. */
  readonly elsewhere?: boolean;
}

export class Store {
  readonly memory: Memory;
  readonly #edge: EdgeStore | undefined;
  readonly #notes: PurgeNotes | undefined;
  readonly #purges = new Purges();
  readonly #changes = new Map<string, Change>();
  readonly #uncacheable = new Map<string, { readonly untilMs: number; readonly reason: string }>();
  readonly #notesReadAtMs = new Map<string, number>();
  #allNotesReadAtMs = 0;
  #sequence = 0;
  /** Requests that began before this one change nothing, since the last change of their object may have been evicted. */
  #floor = 0;
  /** Number of entries found that this token cannot decrypt; they are not served. */
  undecryptable = 0;

  constructor(memory: Memory, edge: EdgeStore | undefined, notes: PurgeNotes | undefined) {
    this.memory = memory;
    this.#edge = edge;
    this.#notes = notes;
  }

  get reach(): string {
    return this.#notes?.reach ?? "in this isolate alone: there is neither a Cache API nor a PURGE_LOG";
  }

  ask(nowMs: number): Asked {
    this.#sequence += 1;
    this.#purges.latest(nowMs);
    return { sequence: this.#sequence, atMs: nowMs };
  }

  /** A fresh entry of that format in memory; synchronous. */
  recall(owner: string, route: Route, format: Format, nowMs: number): Entry | undefined {
    const [entry, ...others] = this.memory.get(cacheKey(owner, route, format), owner);
    return entry !== undefined && others.length === 0 && entry.vary.length === 0 && isFresh(entry, nowMs)
      ? entry
      : undefined;
  }

  /** The entries of a key: from memory, or if none is fresh there, from the Cache API. */
  async find(
    identity: Identity | undefined,
    route: Route,
    format: Format,
    nowMs: number,
  ): Promise<ReadonlyArray<Entry>> {
    const owner = identity?.digest ?? nobody.digest;
    const key = cacheKey(owner, route, format);
    const near = this.memory.get(key, owner);
    if (this.#edge === undefined || identity === undefined || near.some((entry) => isFresh(entry, nowMs))) return near;
    const found = await this.#read(route, format, identity);
    // Another request may have stored or removed something meanwhile.
    const now = this.memory.get(key, owner);
    if (found === undefined) return now;
    this.#purges.latest(found.fetchedAtMs);
    const isUsable = found.fetchedAtMs > Math.max(identity.revoked.atMs, this.#purges.floorMs);
    const usable = isUsable ? this.afterPurges(found) : undefined;
    const change = this.#changes.get(objectKey(owner, route));
    // The Cache API may have an older entry than this isolate stored or removed.
    const isOld =
      change !== undefined &&
      (found.fetchedAtMs < change.atMs || (change.removed && found.fetchedAtMs === change.atMs));
    if (usable === undefined || isOld) return now;
    if (now.some(({ freshness }) => freshness.responseTimeMs >= found.freshness.responseTimeMs)) return now;
    identity.hasEntries = true;
    // Nor may the data centre later have an older one: isolates do not order what they write there.
    const sequence = change?.sequence ?? this.#floor;
    this.#note(objectKey(owner, route), { sequence, atMs: found.fetchedAtMs, removed: false, elsewhere: true });
    return this.#remember(key, usable, now, undefined);
  }

  /**
   * Stores an entry: in memory at once, in the data centre when the promise is done. Undefined: a later request has changed the
   * object, or a purge lies on the entry. `request`: selects among the entries of a key.
   */
  put(
    identity: Identity | undefined,
    route: Route,
    entry: Entry,
    asked: Asked,
    request: Headers,
    nowMs: number,
  ): Promise<void> | undefined {
    if (asked.sequence < (identity?.revoked.sequence ?? 0) || this.#purges.of(entry) !== undefined) return undefined;
    if (!this.#change(entry.owner, route, { ...asked, removed: false })) return undefined;
    const key = cacheKey(entry.owner, route, entry.askedFormat);
    this.#uncacheable.delete(key);
    if (identity !== undefined) identity.hasEntries = true;
    this.#remember(key, entry, this.memory.get(key, entry.owner), request);
    const until = usableUntil(entry.freshness) + (hasValidator(entry) ? keptForValidationMs : 0);
    const keepSeconds = Math.ceil((Math.min(until, identity?.expiresAtMs ?? 0) - nowMs) / 1000);
    const isKept = keepSeconds > 0 && entry.part === undefined && entry.bytes.byteLength <= maxEncryptedBytes;
    return identity !== undefined && isKept ? this.#write(key, entry, identity, keepSeconds) : Promise.resolve();
  }

  async #write(key: string, entry: Entry, identity: Identity, keepSeconds: number): Promise<void> {
    if (this.#edge === undefined) return;
    try {
      // No Content-Type: it is not used, and costs 5 % of a lookup.
      const headers = { "cache-control": `max-age=${keepSeconds}` };
      const encrypted = await encryptEntry(key, entry, identity.key);
      await this.#edge.put(keyOrigin + key, new Response(encrypted, { headers }));
    } catch {
      // One tier less.
    }
  }

  /** Removes an object in both formats, unless a later request has changed it. */
  async remove(identity: Identity | undefined, route: Route, asked: Asked): Promise<void> {
    const owner = identity?.digest ?? nobody.digest;
    if (!this.#change(owner, route, { ...asked, removed: true })) return;
    for (const format of ["json", "protobuf"] as const) this.memory.delete(cacheKey(owner, route, format));
    const forms: ReadonlyArray<Format> = route.endpoint === "other" ? ["json"] : ["json", "protobuf"];
    const keys = ownersOf(identity).flatMap((digest) => forms.map((format) => cacheKey(digest, route, format)));
    await Promise.all(keys.map((key) => this.#delete(key)));
  }

  /** Removes the other format of an object if a newer entry serves both. */
  async replaceOtherForm(identity: Identity, route: Route, entry: Entry): Promise<void> {
    const format = otherForm(entry.askedFormat);
    const key = cacheKey(identity.digest, route, format);
    if (this.memory.get(key, identity.digest).length === 0 || (await inForm(entry, format)) === undefined) return;
    this.memory.delete(key);
    await this.#delete(key);
  }

  /** Removes the entries of an owner in these groups; all are of one origin (RFC 9875). In memory alone. */
  removeGroups(owner: string, groups: ReadonlyArray<string>): void {
    if (groups.length === 0) return;
    const isIn = (entry: Entry): boolean =>
      cacheGroups(new Headers(entry.headers as Array<[string, string]>)).some((group) => groups.includes(group));
    this.memory.replaceAll((entry) => (entry.owner === owner && isIn(entry) ? undefined : entry));
  }

  /** Notes that answers under a key cannot be shared, and why: requests for it do not wait for each other. */
  noteUncacheable(key: string, reason: string, nowMs: number): void {
    remember(this.#uncacheable, key, { untilMs: nowMs + uncacheableForMs, reason }, maxUncacheable);
  }

  /** Why answers under a key could not be shared lately; undefined where they could. */
  uncacheable(key: string, nowMs: number): string | undefined {
    const noted = this.#uncacheable.get(key);
    return noted !== undefined && noted.untilMs > nowMs ? noted.reason : undefined;
  }

  /** Whether nothing has come after an entry that was stored: no later answer, removal or purge. */
  holds(route: Route, entry: Entry): boolean {
    const change = this.#changes.get(objectKey(entry.owner, route));
    return change?.removed === false && change.atMs === entry.fetchedAtMs && this.#purges.of(entry) === undefined;
  }

  /** Updates the memory count of an entry after transcoding. */
  recount(route: Route, entry: Entry): void {
    const key = cacheKey(entry.owner, route, entry.askedFormat);
    const entries = this.memory.get(key, entry.owner);
    if (entries.includes(entry)) this.memory.set(key, entries);
  }

  purgeTime(nowMs: number): number {
    return this.#purges.latest(nowMs);
  }

  /** Applies a purge here, and records it for other isolates. */
  async purge(purge: Purge): Promise<void> {
    this.#apply([purge]);
    await this.#notes?.write(purge);
  }

  /**
   * After a 401: drops all entries of the user. Nothing is recorded for a token without entries here: it may be made up, and would
   * fill the log of purges.
   */
  async revoke(identity: Identity, isKnown: boolean, nowMs: number): Promise<void> {
    const atMs = this.#purges.latest(nowMs);
    identity.revoked = { sequence: this.ask(nowMs).sequence, atMs };
    const purge: Purge = { atMs, hard: true, owners: ownersOf(identity) };
    if (isKnown || identity.hasEntries) await this.purge(purge);
    else if (this.#notes?.isPerOwner === true) await this.#notes.write(purge);
  }

  /** Whether the purges recorded by other isolates, for this identity or for all, are due to be read. */
  areNotesDue(identity: Pick<Identity, "digest">, nowMs: number): boolean {
    if (this.#notes === undefined) return false;
    const readAtMs = Math.min(this.#allNotesReadAtMs, this.#notesReadAtMs.get(identity.digest) ?? 0);
    return Math.abs(nowMs - readAtMs) > purgesReadEveryMs;
  }

  /** Reads and applies them. Failures of the log are ignored. */
  async readNotes(identity: Pick<Identity, "digest" | "previous">, nowMs: number): Promise<void> {
    try {
      this.#apply((await this.#notes?.read(ownersOf(identity))) ?? []);
    } catch (error) {
      logError("the log of purges cannot be read", error);
    }
    // Only now: a request that comes meanwhile reads for itself.
    remember(this.#notesReadAtMs, identity.digest, nowMs);
    this.#allNotesReadAtMs = nowMs;
  }

  /** The entry after purges that came since it was found; undefined if removed. */
  afterPurges(entry: Entry): Entry | undefined {
    const purged = this.#purges.of(entry);
    if (purged === "hard") return undefined;
    return purged === "soft" && entry.freshness.lifetimeMs > 0 ? outdated(entry) : entry;
  }

  #apply(purges: ReadonlyArray<Purge>): void {
    for (const { atMs } of purges) this.#purges.latest(atMs);
    if (this.#purges.add(purges).length > 0) this.memory.replaceAll((entry) => this.afterPurges(entry));
  }

  /** Whether the response may change the object: no later request has changed it. Records the change. */
  #change(owner: string, route: Route, change: Change): boolean {
    const name = objectKey(owner, route);
    const before = this.#changes.get(name);
    if (change.sequence < (before?.sequence ?? this.#floor)) return false;
    if (before?.elsewhere === true && change.atMs <= before.atMs) return false;
    this.#note(name, change);
    return true;
  }

  #note(name: string, change: Change): void {
    const [oldest] = this.#changes.values();
    if (!this.#changes.has(name) && this.#changes.size >= maxChanges) {
      this.#floor = Math.max(this.#floor, oldest?.sequence ?? 0);
    }
    remember(this.#changes, name, change, maxChanges);
  }

  /** Puts an entry in the place of those that the same request selects and that hold the same part. */
  #remember(
    key: string,
    entry: Entry,
    before: ReadonlyArray<Entry>,
    request: Headers | undefined,
  ): ReadonlyArray<Entry> {
    const others =
      request === undefined
        ? []
        : before.filter(
            (other) =>
              !matchesVary(other.vary, request, null) ||
              (entry.part !== undefined && other.part?.askedRange !== entry.part.askedRange),
          );
    const entries = [...others.slice(-maxVariants + 1), entry];
    this.memory.set(key, entries);
    return entries;
  }

  /** What the data centre has, by the current server secret or by the previous one. */
  async #read(route: Route, format: Format, identity: Identity): Promise<Entry | undefined> {
    for (const known of identity.previous === undefined ? [identity] : [identity, identity.previous]) {
      const key = cacheKey(known.digest, route, format);
      try {
        const response = await this.#edge?.match(keyOrigin + key);
        if (response === undefined) continue;
        const entry = await decryptEntry(key, await response.arrayBuffer(), known, identity.digest);
        if (entry !== undefined) return entry;
        this.undecryptable += 1;
      } catch {
        // One tier less.
      }
    }
    return undefined;
  }

  async #delete(key: string): Promise<void> {
    try {
      await this.#edge?.delete(keyOrigin + key);
    } catch {
      // One tier less.
    }
  }
}

/** The digests of a user: by the current server secret, and by the previous one. */
export const ownersOf = (identity: Pick<Identity, "digest" | "previous"> | undefined): ReadonlyArray<string> =>
  [identity, identity?.previous].flatMap((each) => (each === undefined ? [] : [each.digest]));

export const hasValidator = (entry: Pick<Entry, "headers">): boolean =>
  entry.headers.some(([name]) => name === "etag" || name === "last-modified");
