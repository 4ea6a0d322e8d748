/** Where a server keeps data and log: a folder of the caller's, or a temporary one that goes with the server. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardFolder, unguardFolder } from './process-guard.ts';

export interface ServerFolder {
  readonly dir: string;
  readonly temporary: boolean;
  /** Removes a temporary folder, leaves the caller's. */
  dispose(): Promise<void>;
}

export async function serverFolder(name: string, dir: string | undefined): Promise<ServerFolder> {
  if (dir !== undefined) {
    await mkdir(dir, { recursive: true });
    return { dir, temporary: false, dispose: async () => undefined };
  }
  const made = await mkdtemp(join(tmpdir(), `krs-${name}-`));
  guardFolder(made);
  return {
    dir: made,
    temporary: true,
    dispose: async () => {
      await rm(made, { recursive: true, force: true, maxRetries: 3 });
      unguardFolder(made);
    },
  };
}
