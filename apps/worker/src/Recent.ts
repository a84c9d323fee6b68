// A map that is bounded in number and size.

/**
 * Keeps at most so many values, and of `maxSize` together; the least recently used ones are dropped first. A value that takes more than a
 * quarter of the size is not kept.
 */
export const recentOf = <A>(
  most: number,
  dropped?: (value: A) => void,
  maxSize = Number.POSITIVE_INFINITY,
  sizeOf: (key: string, value: A) => number = () => 0,
) => {
  const slots = new Map<string, { readonly value: A; readonly size: number }>();
  let total = 0;
  const remove = (key: string): void => {
    total -= slots.get(key)?.size ?? 0;
    slots.delete(key);
  };
  return {
    size: (): number => total,
    count: (): number => slots.size,
    get: (key: string): A | undefined => {
      const slot = slots.get(key);
      // With capacity left, the order is not updated: that would slow every hit.
      if (slot !== undefined && (total * 2 > maxSize || slots.size * 2 > most)) {
        slots.delete(key);
        slots.set(key, slot);
      }
      return slot?.value;
    },
    set: (key: string, value: A): void => {
      remove(key);
      const size = sizeOf(key, value);
      if (size * 4 > maxSize) return;
      slots.set(key, { value, size });
      total += size;
      for (const [oldest, slot] of slots) {
        if (total <= maxSize && slots.size <= most) break;
        remove(oldest);
        dropped?.(slot.value);
      }
    },
    delete: remove,
    /** Looks at all, also at those that are set meanwhile. */
    each: (look: (key: string, value: A) => void): void => slots.forEach(({ value }, key) => look(key, value)),
  };
};
