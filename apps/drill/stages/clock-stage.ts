/**
 * Processes, MariaDB and Kafka, each with a wall clock that can be set, by libfaketime; monotonic clocks stay true, as on a
 * real machine. Redis cannot be run under it (its allocator asks for the time before the library is ready).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureLibrary, startKafka, startMariadb } from '#testkit';
import type { DrillServers } from '../servers.ts';
import { createClocks } from './clocks.ts';
import type { Stage } from './stage.ts';

export async function openClockStage(main: DrillServers, faultsMax: number): Promise<Stage> {
  const library = await ensureLibrary('libfaketimeMT.so.1');
  const dir = mkdtempSync(join(tmpdir(), 'krs-clock-'));
  const clocks = createClocks(library, dir);
  const started = await Promise.allSettled([
    startMariadb({ env: clocks.env('database') }),
    startKafka({ env: clocks.env('kafka') }),
  ]);
  const stop = async () => {
    await Promise.all(started.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.stop() : undefined)));
    rmSync(dir, { recursive: true, force: true });
  };
  const [mariadb, kafka] = started;
  if (mariadb.status === 'fulfilled' && kafka.status === 'fulfilled') {
    return {
      servers: { ...main, mariadb: mariadb.value, kafka: kafka.value, clocks, stop },
      scene: { slotEnv: (name) => clocks.env(name) },
      faultsMax,
      close: stop,
    };
  }
  await stop();
  throw started.find((outcome) => outcome.status === 'rejected')?.reason;
}
