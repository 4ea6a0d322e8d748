/** A disk of its own for a server, small enough to be filled: a tmpfs. Needs root. */
import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CHUNK = Buffer.alloc(1024 * 1024);
const CRUMB = Buffer.alloc(4096);

export interface SmallDisk {
  readonly dir: string;
  /** Nothing more can be written to it; resolves to the bytes it took. */
  fill(): number;
  /** What filled it is gone. */
  free(): void;
  /** Whatever is on it goes with it. */
  remove(): Promise<void>;
}

export async function createSmallDisk(name: string, megabytes: number): Promise<SmallDisk> {
  const dir = mkdtempSync(join(tmpdir(), `krs-disk-${name}-`));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'krs-drill', dir]);
  const filler = join(dir, 'filler');
  return {
    dir,
    fill: () => {
      const before = statfsSync(dir).bavail;
      const file = openSync(filler, 'a');
      try {
        for (const piece of [CHUNK, CRUMB]) while (write(file, piece));
      } finally {
        closeSync(file);
      }
      return before * statfsSync(dir).bsize;
    },
    free: () => rmSync(filler, { force: true }),
    remove: async () => {
      await run('umount', ['--lazy', dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** False when the disk is full. */
function write(file: number, piece: Buffer): boolean {
  try {
    return writeSync(file, piece) === piece.length;
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOSPC') return false;
    throw error;
  }
}
