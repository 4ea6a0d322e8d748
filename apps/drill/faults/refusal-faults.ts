/** The database answers what it needs not answer often: any error, for statements that are right, until it does no more. */
import { systemClock } from '#runtime';
import type { Fault, Injection } from '../fault.ts';
import { killSessions } from '../relay-sessions.ts';
import type { Scene } from '../scene.ts';

interface Refusal {
  readonly errno: number;
  readonly what: string;
}

/** None of them says anything about the relay's own data. */
const REFUSALS: readonly Refusal[] = [
  { errno: 1615, what: 'prepared statement needs to be re-prepared' },
  { errno: 1206, what: 'too many locks' },
  { errno: 1105, what: 'unknown error' },
  { errno: 3100, what: 'a hook of the server refused' },
  { errno: 1180, what: 'got an error during COMMIT' },
  { errno: 1114, what: 'table is full' },
  { errno: 1041, what: 'out of memory' },
];

/** Statements of writers, of senders, of both. */
const PLACES = [
  ['watermark', 'UPDATE'],
  ['outbox', 'INSERT'],
  ['outbox', 'DELETE'],
  ['lane', 'UPDATE'],
  ['member', 'UPDATE'],
] as const;
const TRIGGER = 'drill_refuses';
const HOLD_MS = [3_000, 8_000] as const;
const STORM_MS = 6_000;
const STORM_PAUSE_MS = [50, 250] as const;

/** A trigger refuses every statement of one kind on one of the relay's tables. */
async function refuse(scene: Scene, { errno }: Refusal): Promise<Injection> {
  const [table, verb] = scene.chance.pick(PLACES);
  const holdMs = scene.chance.integer(...HOLD_MS);
  await scene.ask(
    `CREATE TRIGGER ${TRIGGER} BEFORE ${verb} ON kafka_row_sender_${table} FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = ${errno}, MESSAGE_TEXT = 'as the drill says'`,
  );
  return {
    detail: `${verb} of ${table} for ${(holdMs / 1_000).toFixed(1)} s`,
    holdMs,
    heal: async () => void (await scene.ask(`DROP TRIGGER ${TRIGGER}`)),
  };
}

async function storm(scene: Scene, what: 'CONNECTION' | 'QUERY'): Promise<Injection> {
  const endMs = systemClock.nowMs() + STORM_MS;
  let killed = 0;
  while (systemClock.nowMs() < endMs) {
    killed += await killSessions(scene, what);
    await systemClock.sleep(scene.chance.integer(...STORM_PAUSE_MS));
  }
  return { detail: `${killed} times` };
}

const common = { targets: ['database'] } as const;

export const REFUSAL_FAULTS: readonly Fault[] = [
  ...REFUSALS.map(
    (refusal): Fault => ({
      ...common,
      name: `database-errno-${refusal.errno}`,
      what: `For some seconds one kind of the relay's statements is answered with ${refusal.errno} (${refusal.what}).`,
      expected: 'It is tried again until it works; no process ends.',
      inject: (scene) => refuse(scene, refusal),
    }),
  ),
  {
    ...common,
    name: 'database-kill-storm',
    what: `KILL of every connection of the relay's user, some times a second for ${STORM_MS / 1_000} s.`,
    expected: 'Nobody gets anything done meanwhile, and nobody ends; commits of unknown outcome are settled.',
    startMayFail: true,
    inject: (scene) => storm(scene, 'CONNECTION'),
  },
  {
    ...common,
    name: 'database-kill-queries',
    what: `KILL QUERY for every connection of the relay's user, some times a second for ${STORM_MS / 1_000} s.`,
    expected: 'Statements that were interrupted are tried again; no process ends.',
    startMayFail: true,
    inject: (scene) => storm(scene, 'QUERY'),
  },
];
