/** Steps of an end-to-end run, printed one by one as they end: `ok`, what, how long; or `FAIL` and why. */

export class Steps {
  #failed = 0;
  #passed = 0;

  heading(text: string): void {
    process.stdout.write(`\n${text}\n`);
  }

  note(text: string): void {
    process.stdout.write(`      ${text}\n`);
  }

  /** Runs one step. `says` is added to its line. Rejects with the step's fault: what follows would make no sense. */
  async step<T>(what: string, work: () => Promise<T>, says: (result: T) => string = () => ''): Promise<T> {
    const startedMs = performance.now();
    const took = () => `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`;
    try {
      const result = await work();
      const more = says(result);
      process.stdout.write(`  ok  ${what}${more === '' ? '' : `: ${more}`} (${took()})\n`);
      this.#passed += 1;
      return result;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      process.stdout.write(`FAIL  ${what} (${took()})\n      ${why.replaceAll('\n', '\n      ')}\n`);
      this.#failed += 1;
      throw error;
    }
  }

  /** The last line. True when every step went well. */
  finish(): boolean {
    process.stdout.write(`\n${this.#passed} steps passed, ${this.#failed} failed\n`);
    return this.#failed === 0 && this.#passed > 0;
  }
}
