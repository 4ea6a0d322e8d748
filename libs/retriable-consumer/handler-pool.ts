/** At most so many handlers at a time; who comes first is served first. */

export class HandlerPool {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(concurrency: number) {
    this.#free = concurrency;
  }

  /** True with a place, which must be given back; false when the signal was aborted before there was one. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#free > 0) {
      this.#free -= 1;
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const take = () => {
      signal.removeEventListener('abort', leave);
      resolve(true);
    };
    const leave = () => {
      this.#waiting.splice(this.#waiting.indexOf(take), 1);
      resolve(false);
    };
    this.#waiting.push(take);
    signal.addEventListener('abort', leave, { once: true });
    return await promise;
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
