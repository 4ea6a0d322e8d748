/** Wall clocks that can be set, by libfaketime: each name has a file that says how far its clock is off. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Clocks {
  /** The clock of a slot, of `database` or of `kafka` goes wrong by so many seconds from now on. */
  set(name: string, seconds: number): void;
}

/** The library looks at its file so often. */
export const CLOCK_READ_MS = 1_000;

export function createClocks(library: string, dir: string): Clocks & { env(name: string): Record<string, string> } {
  const file = (name: string) => join(dir, name);
  const set = (name: string, seconds: number) =>
    writeFileSync(file(name), `${seconds >= 0 ? '+' : '-'}${Math.abs(seconds)}s\n`);
  return {
    set,
    env: (name) => {
      set(name, 0);
      return {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file(name),
        FAKETIME_CACHE_DURATION: String(CLOCK_READ_MS / 1_000),
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
        // On by itself with newer C libraries, and then every timed wait of a Java machine is over at once.
        FAKETIME_FORCE_MONOTONIC_FIX: '0',
      };
    },
  };
}
