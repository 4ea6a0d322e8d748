/** No room left on a server's disk, for some seconds. */
import { systemClock } from '#runtime';
import type { Fault, Injection } from '../fault.ts';
import type { Scene } from '../scene.ts';

const HOLD_MS = [5_000, 12_000] as const;
const KAFKA_ENDED_MS = 3_000;

function fill(scene: Scene, name: 'database' | 'kafka' | 'redis', healed: () => Promise<void>): Injection {
  const disk = scene.servers.disks?.[name];
  if (disk === undefined) throw new Error('this stage has no disk that can be filled');
  const bytes = disk.fill();
  const holdMs = scene.chance.integer(...HOLD_MS);
  return {
    detail: `${Math.round(bytes / 1024 / 1024)} MB taken for ${(holdMs / 1_000).toFixed(1)} s`,
    holdMs,
    heal: async () => {
      disk.free();
      await healed();
    },
  };
}

export const DISK_FAULTS: readonly Fault[] = [
  {
    name: 'disk-full-database',
    what: 'The disk of MariaDB is full for some seconds.',
    expected: 'What cannot be written is tried again; nothing half-written is taken for whole.',
    targets: ['database'],
    stage: 'full-disk',
    startMayFail: true,
    inject: async (scene) =>
      fill(scene, 'database', async () => {
        const { mariadb } = scene.servers;
        // InnoDB ends itself when it cannot write what it must.
        await scene.deployment.query('SELECT 1').catch(() => mariadb.restart());
      }),
  },
  {
    name: 'disk-full-kafka',
    what: 'The disk of Kafka is full for some seconds; the broker may end, and is started again when there is room.',
    expected: 'Rows wait in the outbox.',
    targets: ['kafka'],
    stage: 'full-disk',
    startMayFail: true,
    inject: async (scene) =>
      fill(scene, 'kafka', async () => {
        // It gives its disk up at the first failed write, and only a start makes it look again.
        await systemClock.sleep(KAFKA_ENDED_MS);
        await scene.servers.kafka.kill();
        await scene.servers.kafka.restart();
      }),
  },
  {
    name: 'disk-full-redis',
    what: 'The disk that Redis keeps its log on is full for some seconds: every write is refused.',
    expected: 'Rows keep flowing.',
    targets: ['redis'],
    stage: 'full-disk',
    startMayFail: true,
    inject: async (scene) => fill(scene, 'redis', async () => undefined),
  },
];
