/** The database changes what a session is given, or whether there is one at all. */
import { systemClock } from '#runtime';
import { until } from '#testkit';
import { ALL_TARGETS, type Fault, type Injection } from '../fault.ts';
import { flowed, flowWhile } from '../flow.ts';
import { killSessions, relaySessions } from '../relay-sessions.ts';
import type { Scene } from '../scene.ts';

type Globals = Readonly<Record<string, string | number>>;

/** Set for new sessions, whatever an application of its own expects. */
const HOSTILE: Globals = {
  sql_mode:
    'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,IGNORE_SPACE,PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION',
  tx_isolation: 'SERIALIZABLE',
  autocommit: 0,
  completion_type: 'CHAIN',
  sql_safe_updates: 1,
  sql_select_limit: 1,
  max_statement_time: 0.05,
  sql_auto_is_null: 1,
  time_zone: '-11:00',
  character_set_results: 'latin1',
  collation_connection: 'latin1_bin',
  group_concat_max_len: 4,
};
/** As the first statement of each session; only users without administrative rights get it. */
const HOSTILE_FIRST =
  "SET NAMES latin1, sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', autocommit = 0, time_zone = '+09:00', sql_select_limit = 1, tx_isolation = 'READ-UNCOMMITTED'";
const HOLD_MS = [4_000, 9_000] as const;
const PREPARED_MS = 15_000;
const READ_ONLY_MS = 6_000;
const LEFT_DEADLINE_MS = 60_000;
/** The fewest that the server allows, far fewer than are open. */
const CONNECTIONS_MIN = 10;
const SMALL_PACKET_BYTES = 1_024;

async function valuesOf(scene: Scene, names: readonly string[]): Promise<Globals> {
  const columns = names.map((name) => `@@GLOBAL.${name} AS ${name}`);
  const [found] = await scene.ask<Globals>(`SELECT ${columns.join(', ')}`);
  return found as Globals;
}

async function setGlobals(scene: Scene, values: Globals): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    // As numbers, which the server does not take as strings: its largest is above ours.
    if (/^[\d.]+$/.test(String(value))) await scene.ask(`SET GLOBAL ${name} = ${value}`);
    else await scene.ask(`SET GLOBAL ${name} = ?`, [value]);
  }
}

/** Sessions of the relay are ended, so that it needs new ones. Resolves to what undoes it. */
async function change(scene: Scene, values: Globals): Promise<() => Promise<void>> {
  const before = await valuesOf(scene, Object.keys(values));
  const undo = () => setGlobals(scene, before);
  try {
    await setGlobals(scene, values);
    await killSessions(scene);
  } catch (error) {
    await undo();
    throw error;
  }
  return undo;
}

async function flowUnder(scene: Scene, values: Globals, what: string): Promise<Injection> {
  const flowedMs = await flowWhile(scene, { what }, await change(scene, values));
  // Sessions keep what they were given: rows flow through these, too, and then through others.
  await killSessions(scene);
  return { detail: flowed(flowedMs), flowedMs };
}

async function hold(scene: Scene, values: Globals, holdMs = scene.chance.integer(...HOLD_MS)): Promise<Injection> {
  const heal = await change(scene, values);
  return { detail: `for ${(holdMs / 1_000).toFixed(1)} s`, holdMs, heal };
}

/** None of the sessions of before is left when it is over: one of them may be of a server that leads no more. */
async function readOnly(scene: Scene): Promise<Injection> {
  const before = await relaySessions(scene);
  await scene.ask('SET GLOBAL read_only = 1');
  try {
    await systemClock.sleep(READ_ONLY_MS);
    const left = async () => (await relaySessions(scene)).filter((id) => before.includes(id)).length;
    await until(
      'sessions that turned read-only to be given up',
      async () => (await left()) * 2 < before.length,
      LEFT_DEADLINE_MS,
    );
    return { detail: `${await left()} of ${before.length} sessions were kept` };
  } finally {
    await scene.ask('SET GLOBAL read_only = 0');
  }
}

async function lockAccount(scene: Scene): Promise<Injection> {
  const set = (state: string) => scene.ask(`ALTER USER '${scene.relayUser}'@'%' ACCOUNT ${state}`);
  const holdMs = scene.chance.integer(...HOLD_MS);
  await set('LOCK');
  await killSessions(scene);
  return { detail: `for ${(holdMs / 1_000).toFixed(1)} s`, holdMs, heal: async () => void (await set('UNLOCK')) };
}

const common = { targets: ['database'], startMayFail: true } as const;
const flowing = { targets: ALL_TARGETS } as const;

export const SESSION_FAULTS: readonly Fault[] = [
  {
    ...flowing,
    name: 'database-globals-hostile',
    what: `Server-wide ${Object.keys(HOSTILE).join(', ')} are set to what nobody expects, and the relay's sessions are killed.`,
    expected: 'Each session states what it depends on: rows flow.',
    inject: (scene) => flowUnder(scene, HOSTILE, 'rows under hostile settings of the server'),
  },
  {
    ...flowing,
    name: 'database-init-connect-hostile',
    what: "init_connect changes names, sql_mode, autocommit, isolation, time zone and a limit, and the relay's sessions are killed.",
    expected: 'Each session states what it depends on: rows flow.',
    inject: (scene) => flowUnder(scene, { init_connect: HOSTILE_FIRST }, 'rows under a hostile init_connect'),
  },
  {
    ...common,
    name: 'database-init-connect-broken',
    what: 'init_connect is a statement that fails, so that every new session is ended, and those of the relay are killed.',
    expected: 'It is tried again until there is a session; no process ends.',
    inject: (scene) => hold(scene, { init_connect: 'SELECT * FROM nowhere.nothing' }),
  },
  {
    ...flowing,
    name: 'database-idle-closed',
    what: "wait_timeout is one second, and the relay's sessions are killed: the server closes those that rest.",
    expected: 'A session that was closed meanwhile is opened anew: rows flow.',
    inject: (scene) => flowUnder(scene, { wait_timeout: 1 }, 'rows with sessions closed when idle'),
  },
  {
    ...common,
    name: 'database-statements-used-up',
    what: `max_prepared_stmt_count is 0 for ${PREPARED_MS / 1_000} s, and the relay's sessions are killed.`,
    expected: 'It is tried again until statements can be prepared; no process ends.',
    inject: (scene) => hold(scene, { max_prepared_stmt_count: 0 }, PREPARED_MS),
  },
  {
    ...common,
    name: 'database-connections-used-up',
    what: "Every connection that the server allows is others', and the relay's sessions are killed.",
    expected: 'It is tried again until there is a connection; no process ends.',
    inject: (scene) => hold(scene, { max_connections: CONNECTIONS_MIN }),
  },
  {
    ...common,
    name: 'database-packets-small',
    what: `max_allowed_packet is ${SMALL_PACKET_BYTES} bytes for some seconds, and the relay's sessions are killed.`,
    expected: 'What is too large is tried again; sessions opened meanwhile do not keep the relay small.',
    inject: (scene) => hold(scene, { max_allowed_packet: SMALL_PACKET_BYTES }),
  },
  {
    ...common,
    name: 'database-account-locked',
    what: "The relay's account is locked for some seconds, and its sessions are killed.",
    expected: 'It is tried again until it is let in; no process ends.',
    inject: lockAccount,
  },
  {
    ...common,
    name: 'database-read-only-kept',
    what: 'SET GLOBAL read_only = 1 while all sessions stay open, as when a server is no longer the one that leads.',
    expected: 'Sessions that turned read-only are thrown away, so that a server that leads is found.',
    inject: readOnly,
  },
];
