/** The database refuses, hangs up, locks and changes its mind while it runs. */
import { systemClock } from '#runtime';
import type { Fault, Injection } from '../fault.ts';
import { asApplication } from '../own-rows.ts';
import { killSessions } from '../relay-sessions.ts';
import type { Scene } from '../scene.ts';
import { SECRETS } from '../servers.ts';

const RELAY_TABLES = ['watermark', 'outbox', 'lane', 'member'] as const;
const NEW_PASSWORD = 'Xq7-another-secret';
const DEADLOCK_ERRNOS = new Set([1205, 1213]);

/** Holds locks on rows of the relay's tables, as an operator's forgotten transaction would. */
async function holdLocks(scene: Scene, table: string, holdMs: number): Promise<void> {
  await asApplication(scene, async (session) => {
    await session.query('START TRANSACTION');
    try {
      await session.query(`SELECT * FROM kafka_row_sender_${table} LIMIT 200 FOR UPDATE`);
      await systemClock.sleep(holdMs);
    } catch (error) {
      if (!DEADLOCK_ERRNOS.has((error as { errno?: number }).errno ?? 0)) throw error;
    }
    await session.query('ROLLBACK');
  });
}

/** Takes the relay's rows in another order than the relay does, many times, so that some attempts close a circle. */
async function deadlocks(scene: Scene): Promise<number> {
  let met = 0;
  await asApplication(scene, async (session) => {
    await session.query('SET innodb_lock_wait_timeout = 1');
    for (let round = 0; round < 25; round += 1) {
      try {
        await session.query('START TRANSACTION');
        for (const table of scene.chance.shuffle(RELAY_TABLES)) {
          await session.query(`SELECT * FROM kafka_row_sender_${table} LIMIT 50 FOR UPDATE`);
        }
      } catch (error) {
        if (!DEADLOCK_ERRNOS.has((error as { errno?: number }).errno ?? 0)) throw error;
        met += 1;
      }
      await session.query('ROLLBACK');
      await systemClock.sleep(scene.chance.integer(5, 60));
    }
  });
  return met;
}

const setPassword = (scene: Scene, password: string) =>
  scene.ask(`ALTER USER '${scene.relayUser}'@'%' IDENTIFIED BY '${password}'`);

const REVOKED = 'SELECT, INSERT, DELETE';

/** The right to the outbox is taken away and given back. */
async function revoke(scene: Scene): Promise<Injection> {
  const holdMs = scene.chance.integer(2_000, 6_000);
  const place = `\`${scene.deployment.database.name}\`.kafka_row_sender_outbox`;
  await scene.ask(`REVOKE ${REVOKED} ON ${place} FROM '${scene.relayUser}'@'%'`);
  return {
    detail: `for ${(holdMs / 1_000).toFixed(1)} s`,
    holdMs,
    heal: async () => {
      await scene.ask(`GRANT ${REVOKED} ON ${place} TO '${scene.relayUser}'@'%'`);
    },
  };
}

export const DATABASE_FAULTS: readonly Fault[] = [
  {
    name: 'database-read-only',
    what: 'SET GLOBAL read_only = 1 for some seconds, as while a replica is promoted.',
    expected: 'Everything waits and goes on.',
    targets: ['database'],
    startMayFail: true,
    inject: async (scene) => {
      const holdMs = scene.chance.integer(2_000, 8_000);
      await scene.ask('SET GLOBAL read_only = 1');
      return {
        detail: `for ${(holdMs / 1_000).toFixed(1)} s`,
        holdMs,
        heal: async () => {
          await scene.ask('SET GLOBAL read_only = 0');
        },
      };
    },
  },
  {
    name: 'database-kill-connections',
    what: "KILL of every connection of the relay's user, several times.",
    expected: 'Each reconnects; commits of unknown outcome are settled.',
    targets: ['database'],
    weight: 2,
    inject: async (scene) => {
      let killed = 0;
      for (let time = 0; time < 5; time += 1) {
        killed += await killSessions(scene);
        await systemClock.sleep(scene.chance.integer(50, 800));
      }
      return { detail: `${killed} connections` };
    },
  },
  {
    name: 'database-row-locks',
    what: "Another session locks rows of one of the relay's tables for 2 to 9 s.",
    expected: 'Those who need the rows wait, or give up and come again.',
    targets: ['database'],
    weight: 2,
    inject: async (scene) => {
      const table = scene.chance.pick(RELAY_TABLES);
      const holdMs = scene.chance.integer(2_000, 9_000);
      await holdLocks(scene, table, holdMs);
      return { detail: `${table} for ${(holdMs / 1_000).toFixed(1)} s` };
    },
  },
  {
    name: 'database-deadlocks',
    what: "Another session locks rows of the relay's tables in varying order, 25 times.",
    expected: 'Transactions that lose are tried again.',
    targets: ['database'],
    inject: async (scene) => ({ detail: `the other session lost ${await deadlocks(scene)} times` }),
  },
  {
    name: 'database-grants-revoked',
    what: "The user's rights to the outbox are taken away for some seconds.",
    expected: 'Running processes try again until they are let in; none ends.',
    targets: ['database'],
    startMayFail: true,
    inject: revoke,
  },
  {
    name: 'database-password-changed',
    what: "The user's password is changed for some seconds and all its connections are killed.",
    expected: 'Running processes try again until they are let in; none ends.',
    targets: ['database'],
    startMayFail: true,
    inject: async (scene) => {
      const holdMs = scene.chance.integer(2_000, 6_000);
      await setPassword(scene, NEW_PASSWORD);
      await killSessions(scene);
      return {
        detail: `for ${(holdMs / 1_000).toFixed(1)} s`,
        holdMs,
        heal: async () => {
          await setPassword(scene, SECRETS.database);
        },
      };
    },
  },
];
