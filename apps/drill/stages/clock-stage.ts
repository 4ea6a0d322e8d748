/** Processes, MariaDB and Redis each with a wall clock that can be set, by libfaketime; monotonic clocks stay true, as on a real machine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureLibrary, startMariadb, startRedis } from '#testkit';
import { type DrillServers, redisUserArguments } from '../servers.ts';
import { createClocks } from './clocks.ts';
import type { Stage } from './stage.ts';

export async function openClockStage(main: DrillServers, faultsMax: number): Promise<Stage> {
  const library = await ensureLibrary('libfaketimeMT.so.1');
  const dir = mkdtempSync(join(tmpdir(), 'krs-clock-'));
  const clocks = createClocks(library, dir);
  const started = await Promise.allSettled([
    startMariadb({ env: clocks.env('database') }),
    startRedis({ env: clocks.env('redis'), args: redisUserArguments() }),
  ]);
  const stop = async () => {
    await Promise.all(started.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.stop() : undefined)));
    rmSync(dir, { recursive: true, force: true });
  };
  const [first, second] = started;
  if (first.status === 'fulfilled' && second.status === 'fulfilled') {
    return {
      servers: { mariadb: first.value, redis: second.value, kafka: main.kafka, clocks, stop },
      scene: { slotEnv: (name) => clocks.env(name) },
      faultsMax,
      close: stop,
    };
  }
  await stop();
  throw started.find((outcome) => outcome.status === 'rejected')?.reason;
}
