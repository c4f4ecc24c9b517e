/** Times by 128-bit hash, without an object per entry: what makes days of identities fit into memory. */

const WORDS = 4;
const FIRST_CAPACITY = 16;
/** Entries grow by this; slots double. */
const GROWTH = 1.5;
const MOST_LOAD = 0.75;

/**
 * A multimap from hashes (16 bytes, evenly spread) to times (ms) that gives its oldest entries first. Entries lie in typed arrays; an open-addressing table
 * of entry numbers finds them by hash, a binary heap of entry numbers by time.
 */
export class SeenIds {
  #size = 0;
  #hashes = new Uint32Array(0);
  #times = new Float64Array(0);
  /** Entry numbers that nobody has, behind `#used`. */
  #free: number[] = [];
  #used = 0;
  /** Entry number + 1; 0: nobody. */
  #slots = new Int32Array(0);
  #heap = new Int32Array(0);
  #heaped = 0;
  /** Taken out by hash, still in the heap. */
  readonly #gone = new Set<number>();

  constructor() {
    this.clear();
  }

  get size(): number {
    return this.#size;
  }

  clear(): void {
    this.#size = this.#used = this.#heaped = 0;
    this.#free = [];
    this.#gone.clear();
    this.#hashes = new Uint32Array(FIRST_CAPACITY * WORDS);
    this.#times = new Float64Array(FIRST_CAPACITY);
    this.#heap = new Int32Array(FIRST_CAPACITY);
    this.#slots = new Int32Array(FIRST_CAPACITY * 2);
  }

  /** In no order that means anything. */
  timesOf(hash: Buffer): number[] {
    const times: number[] = [];
    for (let slot = this.#slotOf(hash); this.#entryAt(slot) >= 0; slot = this.#next(slot)) {
      const entry = this.#entryAt(slot);
      if (this.#is(entry, hash)) times.push(this.#timeOf(entry));
    }
    return times;
  }

  add(hash: Buffer, time: number): void {
    const entry = this.#free.pop() ?? this.#used++;
    if (entry >= this.#times.length) this.#grow();
    for (let word = 0; word < WORDS; word++) this.#hashes[entry * WORDS + word] = hash.readUInt32LE(word * 4);
    this.#times[entry] = time;
    if (this.#size >= this.#slots.length * MOST_LOAD) this.#spread();
    this.#place(entry);
    this.#push(entry);
    this.#size++;
  }

  /** Takes out the oldest entry, if it is older than `horizon` (ms), and gives its hash. */
  takeBefore(horizon: number): Buffer | undefined {
    while (this.#heaped > 0) {
      const entry = this.#heap[0] ?? 0;
      if (!this.#gone.has(entry) && this.#timeOf(entry) >= horizon) return undefined;
      this.#pop();
      this.#free.push(entry);
      if (this.#gone.delete(entry)) continue;
      const hash = this.#hashOf(entry);
      this.#unplace(hash, entry);
      return hash;
    }
    return undefined;
  }

  /** Takes out all entries of a hash. */
  removeAll(hash: Buffer): void {
    for (let slot = this.#slotOf(hash); this.#entryAt(slot) >= 0;) {
      const entry = this.#entryAt(slot);
      if (this.#is(entry, hash)) {
        this.#gone.add(entry);
        this.#unplace(hash, entry);
      } else slot = this.#next(slot);
    }
  }

  #timeOf(entry: number): number {
    return this.#times[entry] ?? NaN;
  }

  #hashOf(entry: number): Buffer {
    const hash = Buffer.allocUnsafe(WORDS * 4);
    for (let word = 0; word < WORDS; word++) hash.writeUInt32LE(this.#hashes[entry * WORDS + word] ?? 0, word * 4);
    return hash;
  }

  #is(entry: number, hash: Buffer): boolean {
    for (let word = 0; word < WORDS; word++) {
      if (this.#hashes[entry * WORDS + word] !== hash.readUInt32LE(word * 4)) return false;
    }
    return true;
  }

  #slotOf(hash: Buffer): number {
    return hash.readUInt32LE(0) & (this.#slots.length - 1);
  }

  #next(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }

  /** -1: nobody. */
  #entryAt(slot: number): number {
    return (this.#slots[slot] ?? 0) - 1;
  }

  #home(entry: number): number {
    return (this.#hashes[entry * WORDS] ?? 0) & (this.#slots.length - 1);
  }

  #place(entry: number): void {
    let slot = this.#home(entry);
    while (this.#entryAt(slot) >= 0) slot = this.#next(slot);
    this.#slots[slot] = entry + 1;
  }

  /** Closes the gap, so that no search ends at it. */
  #unplace(hash: Buffer, entry: number): void {
    let gap = this.#slotOf(hash);
    while (this.#entryAt(gap) !== entry) gap = this.#next(gap);
    const mask = this.#slots.length - 1;
    for (let slot = this.#next(gap); this.#entryAt(slot) >= 0; slot = this.#next(slot)) {
      const home = this.#home(this.#entryAt(slot));
      // It may move into the gap unless its home lies behind it.
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
      this.#slots[gap] = this.#slots[slot] ?? 0;
      gap = slot;
    }
    this.#slots[gap] = 0;
    this.#size--;
  }

  #grow(): void {
    const capacity = Math.ceil(this.#times.length * GROWTH);
    this.#hashes = copyInto(new Uint32Array(capacity * WORDS), this.#hashes);
    this.#times = copyInto(new Float64Array(capacity), this.#times);
    this.#heap = copyInto(new Int32Array(capacity), this.#heap);
  }

  #spread(): void {
    const placed = this.#slots;
    this.#slots = new Int32Array(placed.length * 2);
    for (const taken of placed) if (taken > 0) this.#place(taken - 1);
  }

  #push(entry: number): void {
    const time = this.#timeOf(entry);
    let at = this.#heaped++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#heap[parent] ?? 0;
      if (this.#timeOf(above) <= time) break;
      this.#heap[at] = above;
      at = parent;
    }
    this.#heap[at] = entry;
  }

  /** Drops the oldest. */
  #pop(): void {
    const last = this.#heap[--this.#heaped] ?? 0;
    const time = this.#timeOf(last);
    let at = 0;
    for (let child = 1; child < this.#heaped; child = 2 * at + 1) {
      const right = child + 1;
      if (right < this.#heaped && this.#heapTime(right) < this.#heapTime(child)) child = right;
      if (this.#heapTime(child) >= time) break;
      this.#heap[at] = this.#heap[child] ?? 0;
      at = child;
    }
    this.#heap[at] = last;
  }

  #heapTime(at: number): number {
    return this.#timeOf(this.#heap[at] ?? 0);
  }
}

function copyInto<T extends Uint32Array | Float64Array | Int32Array>(to: T, from: T): T {
  to.set(from);
  return to;
}
