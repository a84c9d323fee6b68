// Decides: whether the texts of an answer stand at the numbers at which they used to stand.
//
// Sampling notices a server that gives its fields other numbers, but only after some answers. Most texts come again and again
// (a status, an owner, the same engine asked for twice): one that turns up under another number than ever before is a reason
// to witness the answer that carries it. No proof: the witness decides, and an honest coincidence costs one request, once.

/** Texts looked at in one answer, at most: numbers change for all messages of a type at once. */
const maxTextsPerAnswer = 64;
/** Texts remembered for one message type, at most; then all are forgotten. */
const maxTexts = 4096;
/** Bytes of a text that is telling, at least. */
const minTextBytes = 3;

/** Sees the texts of one answer: message type, field number, and where the text is. */
export type TextVisitor = (typeName: string, number: number, bytes: Uint8Array, start: number, end: number) => void;

/** Of each text: the number at which it stands, or several. */
type Places = Map<number, number | ReadonlyArray<number>>;

const add = (places: Places, text: number, number: number): void => {
  const known = places.get(text);
  if (known === undefined) places.set(text, number);
  else if (typeof known !== "number") places.set(text, known.includes(number) ? known : [...known, number]);
  else if (known !== number) places.set(text, [known, number]);
};

/** Where texts were seen, by message type. Texts are kept as numbers that say little about them. */
export class Whereabouts {
  readonly #places = new Map<string, Places>();

  /**
   * Looks at an answer; `isUnfamiliar`, asked once at its end, tells whether a text of an earlier one stood somewhere new. If
   * not, its texts are remembered. That two fields of one answer are equal tells nothing.
   */
  look(): { readonly visit: TextVisitor; readonly isUnfamiliar: () => boolean } {
    let left = maxTextsPerAnswer;
    let isUnfamiliar = false;
    let lastType = "";
    let places: Places = new Map();
    const fresh: Array<readonly [places: Places, text: number, number: number]> = [];
    return {
      visit: (typeName, number, bytes, start, end) => {
        if (left === 0 || end - start < minTextBytes) return;
        left -= 1;
        if (typeName !== lastType) places = this.#of(typeName);
        lastType = typeName;
        const text = fingerprint(bytes, start, end);
        const known = places.get(text);
        if (known === undefined) fresh.push([places, text, number]);
        else if (known !== number && (typeof known === "number" || !known.includes(number))) isUnfamiliar = true;
      },
      isUnfamiliar: () => {
        if (!isUnfamiliar) for (const [places, text, number] of fresh) add(places, text, number);
        return isUnfamiliar;
      },
    };
  }

  /** Takes over what a witness has confirmed. */
  readonly note: TextVisitor = (typeName, number, bytes, start, end) => {
    if (end - start >= minTextBytes) add(this.#of(typeName), fingerprint(bytes, start, end), number);
  };

  forget(): void {
    this.#places.clear();
  }

  #of(typeName: string): Places {
    let places = this.#places.get(typeName);
    if (places === undefined || places.size > maxTexts) {
      places = new Map();
      this.#places.set(typeName, places);
    }
    return places;
  }
}

/** The length of a text and eight of its bytes, mixed: texts that are alike in those cost a witness now and then. */
const fingerprint = (bytes: Uint8Array, start: number, end: number): number => {
  const length = end - start;
  const at = (index: number): number => bytes[index] ?? 0;
  const head = at(start) | (at(start + 1) << 8) | (at(start + 2) << 16) | (at(start + (length >> 1)) << 24);
  const tail = at(end - 1) | (at(end - 2) << 8) | (at(end - 3) << 16) | (at(start + (length >> 2)) << 24);
  return Math.imul(Math.imul(length, 0x01000193) ^ head, 0x01000193) ^ tail;
};
