/** Administrators lock tables, all of them or those they change: the application waits, and the relay with it. */
import { systemClock } from '#runtime';
import type { Fault, Injection } from '../fault.ts';
import { Finding } from '../judge.ts';
import { asApplication } from '../own-rows.ts';
import { type Scene, TABLE } from '../scene.ts';

const SOURCE_LOCKED_MS = 20_000;
const LOCK_MS = [5_000, 12_000] as const;
const BEHIND_READ_MS = [8_000, 14_000] as const;
const LOCK_WAIT_SECONDS = 60;
const LOOK_MS = 500;
/** Statements of a process that wait for a lock at once: one of each thing that it does, and one that has just been given up. */
const WAITING_MAX_EACH = 4;
const RELAY_TABLES = ['watermark', 'outbox', 'lane', 'member', 'topic', 'gap'] as const;

async function waiting(scene: Scene): Promise<number> {
  const [found] = await scene.ask<{ n: number }>(
    "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = ? AND STATE LIKE '%lock%'",
    [scene.relayUser],
  );
  return Number(found?.n);
}

/** Statements given up are ended on the server, too: they do not pile up behind the lock. */
async function watchWaiting(scene: Scene, holdMs: number): Promise<number> {
  const endMs = systemClock.nowMs() + holdMs;
  let most = 0;
  while (systemClock.nowMs() < endMs) {
    most = Math.max(most, await waiting(scene));
    await systemClock.sleep(LOOK_MS);
  }
  const allowed = scene.slots.length * WAITING_MAX_EACH;
  if (most > allowed)
    throw new Finding(`${most} statements of the relay waited for a lock at once, ${allowed} at most`);
  return most;
}

async function lockTables(scene: Scene, tables: readonly string[], holdMs: number): Promise<Injection> {
  const locks = tables.map((table) => `${table} WRITE`).join(', ');
  return asApplication(scene, async (session) => {
    await session.query(`SET lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
    await session.query(`LOCK TABLES ${locks}`);
    const most = await watchWaiting(scene, holdMs);
    await session.query('UNLOCK TABLES');
    return { detail: `${tables.join(' ')} for ${(holdMs / 1_000).toFixed(1)} s, ${most} statements waited at most` };
  });
}

async function lockAll(scene: Scene): Promise<Injection> {
  const holdMs = scene.chance.integer(...LOCK_MS);
  return asApplication(scene, async (session) => {
    await session.query(`SET lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
    await session.query('FLUSH TABLES WITH READ LOCK');
    await systemClock.sleep(holdMs);
    await session.query('UNLOCK TABLES');
    return { detail: `for ${(holdMs / 1_000).toFixed(1)} s` };
  });
}

/** A change waits for a transaction that has read, and everybody waits behind the change. */
async function alterBehindRead(scene: Scene): Promise<Injection> {
  const holdMs = scene.chance.integer(...BEHIND_READ_MS);
  const column = `later_${scene.chance.integer(1, 1_000_000)}`;
  return asApplication(scene, (reading) =>
    asApplication(scene, async (changing) => {
      await reading.query('START TRANSACTION');
      await reading.query(`SELECT 1 FROM ${TABLE} LIMIT 1`);
      await changing.query(`SET lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
      const changed = changing.query(`ALTER TABLE ${TABLE} ADD COLUMN \`${column}\` INT NULL, ALGORITHM = COPY`);
      // Seen where it is awaited.
      changed.catch(() => undefined);
      const most = await watchWaiting(scene, holdMs);
      await reading.query('COMMIT');
      await changed;
      return { detail: `${(holdMs / 1_000).toFixed(1)} s behind a read, ${most} statements waited at most` };
    }),
  );
}

const common = { targets: ['database', 'source', 'writers'], startMayFail: true } as const;

export const TABLE_LOCK_FAULTS: readonly Fault[] = [
  {
    ...common,
    name: 'source-locked',
    what: `LOCK TABLES of the source for ${SOURCE_LOCKED_MS / 1_000} s.`,
    expected: 'The writer waits and comes again; what it gives up is ended on the server, too.',
    inject: (scene) => lockTables(scene, [TABLE], SOURCE_LOCKED_MS),
  },
  {
    ...common,
    name: 'relay-tables-locked',
    what: "LOCK TABLES of all the relay's tables for some seconds.",
    expected: 'Everybody waits and comes again; what is given up is ended on the server, too.',
    inject: (scene) =>
      lockTables(
        scene,
        RELAY_TABLES.map((table) => `kafka_row_sender_${table}`),
        scene.chance.integer(...LOCK_MS),
      ),
  },
  {
    ...common,
    name: 'database-backup-lock',
    what: 'FLUSH TABLES WITH READ LOCK for some seconds, as a backup takes it.',
    expected: 'Everything waits and goes on.',
    inject: lockAll,
  },
  {
    ...common,
    name: 'source-altered-slowly',
    what: 'ALTER TABLE adds a column to the source by copying it, and waits for a transaction that has read it; everybody waits behind.',
    expected: 'The writer waits and comes again; what it gives up is ended on the server, too.',
    inject: alterBehindRead,
  },
];
