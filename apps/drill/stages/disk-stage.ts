/** The three servers, each on a disk of its own that can be filled. Redis keeps its log on it, or a full disk would not matter. */
import { join } from 'node:path';
import { startKafka, startMariadb, startRedis } from '#testkit';
import { redisUserArguments } from '../servers.ts';
import { createSmallDisk } from './small-disk.ts';
import type { Stage } from './stage.ts';

const DATABASE_MB = 500;
const KAFKA_MB = 300;
const REDIS_MB = 48;
/** Every second: with `always` Redis ends itself at the first write that fails. */
const APPEND_ONLY = ['--appendonly', 'yes', '--appendfsync', 'everysec'];

export async function openDiskStage(faultsMax: number): Promise<Stage> {
  if (process.getuid?.() !== 0) throw new Error('small disks can only be mounted by root');
  const [database, kafka, redis] = await Promise.all([
    createSmallDisk('mariadb', DATABASE_MB),
    createSmallDisk('kafka', KAFKA_MB),
    createSmallDisk('redis', REDIS_MB),
  ]);
  const disks = { database, kafka, redis };
  const started = await Promise.allSettled([
    startMariadb({ dir: join(database.dir, 'server') }),
    startRedis({ dir: join(redis.dir, 'server'), args: [...redisUserArguments(), ...APPEND_ONLY] }),
    // Small segments: the room for a new one is asked for often.
    startKafka({ dir: join(kafka.dir, 'server'), properties: { 'log.segment.bytes': 8 * 1024 * 1024 } }),
  ]);
  const stop = async () => {
    for (const disk of Object.values(disks)) disk.free();
    await Promise.all(
      started.map(async (outcome) => {
        if (outcome.status !== 'fulfilled') return;
        await outcome.value.kill();
        await outcome.value.stop();
      }),
    );
    await Promise.all(Object.values(disks).map((disk) => disk.remove()));
  };
  const [first, second, third] = started;
  if (first.status === 'fulfilled' && second.status === 'fulfilled' && third.status === 'fulfilled') {
    const servers = { mariadb: first.value, redis: second.value, kafka: third.value, disks, stop };
    return { servers, faultsMax, close: stop };
  }
  await stop();
  throw started.find((outcome) => outcome.status === 'rejected')?.reason;
}
