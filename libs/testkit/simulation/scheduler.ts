/**
 * Virtual time on one thread: what is due next is picked by time and, among equals, by chance; before every pick all code that
 * can run has run. Nothing here waits for the real clock, so a simulated minute takes milliseconds.
 */

/** A thing to happen; `cancelled` ones are skipped when their time comes. */
export interface Due {
  readonly atMs: number;
  readonly tie: number;
  readonly act: () => void;
  cancelled: boolean;
}

/** A continuation of it is the cheapest microtask there is. */
const DONE = Promise.resolve();

export class Scheduler {
  nowMs = 0;
  /** Things that happened so far: the bound against a simulation that never ends. */
  steps = 0;
  readonly #heap: Due[] = [];
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  after(delayMs: number, act: () => void): Due {
    const due = { atMs: this.nowMs + Math.max(0, delayMs), tie: this.#random(), act, cancelled: false };
    this.#push(due);
    return due;
  }

  /** Runs until nothing is due any more or `isOver` says so; rejects never, since the acts catch what they start. */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      // A tick asked for from a microtask comes after all microtasks: everything that could run has run by then.
      const tick = () => process.nextTick(step);
      const step = () => {
        if (isOver()) return resolve();
        let due = this.#pop();
        while (due?.cancelled) due = this.#pop();
        if (due === undefined) return resolve();
        this.nowMs = due.atMs;
        this.steps += 1;
        due.act();
        void DONE.then(tick);
      };
      process.nextTick(step);
    });
  }

  /** Forgets what is still due. */
  clear(): void {
    this.#heap.length = 0;
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(due);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(due, heap[parent] as Due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): Due | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child += 1;
      if (!isBefore(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

const isBefore = (a: Due, b: Due): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie);
