// Upload links for long archives, by R2's S3 API.
import { StorageUnavailable, type Staging } from "@bytenite-engines/registry/api";
import { AwsClient } from "aws4fetch";
import { failing, objectsOf, type R2Binding } from "./R2Store.ts";

/** Credentials that sign links. */
export interface StagingOptions {
  /** URL of the bucket, as https://ACCOUNT.r2.cloudflarestorage.com/bytenite-engines. */
  readonly url: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly maxBytes: number;
}

/** Prefix of unchecked objects. */
const prefix = "uploads/";

/** Most unchecked archives of one user, so that no user fills the bucket. */
const placesPerUser = 8;

/** Lifetime of a link, in seconds. */
const linkSeconds = 60 * 60;

/** Milliseconds until an unclaimed archive is removed. */
const stagedMs = 2 * 60 * 60_000;

/** Upload links, each signed for one key and length. */
export const makeR2Staging = (bucket: R2Binding, options: StagingOptions): Staging => {
  const { accessKeyId, secretAccessKey, maxBytes } = options;
  const base = options.url.replace(/\/+$/, "");
  const client = new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: "auto" });
  return {
    maxBytes,
    link: (user, bytes) =>
      failing(async () => {
        const { objects } = await bucket.list({ prefix: `${prefix}${user}/` });
        const taken = new Set(objects.map(({ key }) => key));
        const free = Array.from({ length: placesPerUser }, (_, place) => `${prefix}${user}/${place}`).filter(
          (place) => !taken.has(place),
        );
        // A random one: concurrent requests seldom pick the same, and the digest would detect it.
        const place = free[Math.floor(Math.random() * free.length)];
        if (place === undefined) return undefined;
        const { url } = await client.sign(`${base}/${place}?X-Amz-Expires=${linkSeconds}`, {
          method: "PUT",
          headers: { "content-length": String(bytes) },
          aws: { signQuery: true, allHeaders: true },
        });
        return url;
      }),
    placeOf: (user, link) => {
      const place = link.startsWith(`${base}/`) ? link.slice(base.length + 1).replace(/\?.*$/s, "") : "";
      const number = place.startsWith(`${prefix}${user}/`) ? place.slice(prefix.length + user.length + 1) : "";
      return /^\d$/.test(number) && Number(number) < placesPerUser ? place : undefined;
    },
    read: async (place) => {
      const body = await failing(async () => (await bucket.get(place))?.body);
      if (body === undefined) return undefined;
      return (async function* () {
        try {
          yield* body;
        } catch (error) {
          throw new StorageUnavailable(error);
        }
      })();
    },
    remove: (place) => bucket.delete(place),
  };
};

/** Removes unclaimed archives. */
export const sweepStaged = async (bucket: R2Binding, nowMs: number): Promise<number> => {
  let removed = 0;
  for await (const { key, changedMs } of objectsOf(bucket, prefix)) {
    if (changedMs > nowMs - stagedMs) continue;
    await bucket.delete(prefix + key);
    removed += 1;
  }
  return removed;
};
