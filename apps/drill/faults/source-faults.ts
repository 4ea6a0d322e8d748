/** What the application and its administrators do to the source table while it is relayed. */
import type mysql from 'mysql2/promise';
import { EXIT, systemClock } from '#runtime';
import { ALL_TARGETS, type Fault, type Injection } from '../fault.ts';
import { flowed, flowWhile } from '../flow.ts';
import { asApplication, freshKey, giveUpRow, insertRows, noteOf, OWN_COLUMNS } from '../own-rows.ts';
import { type Scene, TABLE } from '../scene.ts';

const BULK_ROWS = 20_000;
/** Above the broker's message.max.bytes of 1 MiB. */
const TOO_LARGE_BYTES = 1_500_000;
/** Above what a column of our tables takes. */
const LONG_TOPIC = 1_500;
const LOCK_WAIT_SECONDS = 30;
/** Long enough for every writer to see the halt, and to be started anew while it lasts. */
const HALTED_MS = 6_000;
const HALT_DEADLINE_MS = 60_000;
const VERY_LATE_MS = 60_000;

/** Takes its id now, becomes visible `holdMs` later; rows of the same key follow it. */
async function commitLate(scene: Scene, holdMs: number): Promise<void> {
  const key = freshKey('late');
  await asApplication(scene, async (session) => {
    const late = noteOf(scene);
    await session.query('START TRANSACTION');
    await late.insert(session, { key, sequence: 1, note: 'late' });
    await systemClock.sleep(holdMs);
    await late.insert(session, { key, sequence: 2, note: 'late' });
    await session.query('COMMIT');
    late.committed();
  });
  await insertRows(scene, [{ key, sequence: 3, note: 'after' }]);
}

async function insertBulk(scene: Scene): Promise<void> {
  const key = freshKey('bulk');
  const sequences = Array.from({ length: BULK_ROWS }, (_, index) => index + 1);
  const rows = sequences.map((sequence) => [key, sequence, '1', 'bulk', '2026-01-02 03:04:05', null]);
  const inserted = sequences.map((sequence) => ({ key, sequence }));
  const noted = scene.load.history.begin('fault');
  await asApplication(scene, async (session) => {
    const answered = noted.statement('insert', inserted);
    const [result] = await session.query<mysql.ResultSetHeader>(`INSERT INTO ${TABLE} ${OWN_COLUMNS} VALUES ?`, [rows]);
    answered({ firstId: result.insertId, affectedRows: result.affectedRows });
  });
  noted.end('committed');
  scene.load.ledger.commit(inserted);
}

async function refusedTopic(scene: Scene, aim: string): Promise<Injection> {
  const given = giveUpRow(scene, 'astray', { note: 'astray', aim });
  // Seen where it is awaited.
  given.catch(() => undefined);
  const flowedMs = await flowWhile(scene, { what: 'rows beside one that goes nowhere' }, () => given);
  return { detail: flowed(flowedMs), flowedMs };
}

/** Waits for transactions of the load, which are short; they wait behind it. */
async function alter(scene: Scene, change: string): Promise<void> {
  await asApplication(scene, async (session) => {
    await session.query(`SET lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
    await session.query(`ALTER TABLE ${TABLE} ${change}`);
  });
}

/** A column that the next leader reads. */
async function addColumn(scene: Scene): Promise<{ readonly column: string; readonly kills: number }> {
  const column = `extra_${scene.chance.integer(1, 1_000_000)}`;
  await alter(scene, `ADD COLUMN \`${column}\` INT NULL`);
  const leader = await scene.leader();
  await leader?.kill();
  return { column, kills: leader === null ? 0 : 1 };
}

/** A delivered column is gone: the source is halted for every writer, until an operator accepts it. */
async function loseColumn(scene: Scene, change: string): Promise<void> {
  await alter(scene, change);
  const deadlineMs = systemClock.nowMs() + HALT_DEADLINE_MS;
  const sql = "SELECT 1 FROM kafka_row_sender_watermark WHERE state = 'halted'";
  while ((await scene.ask(sql)).length === 0) {
    if (systemClock.nowMs() > deadlineMs) throw new Error(`no writer halted the source after ${change}`);
    await systemClock.sleep(200);
  }
  await systemClock.sleep(HALTED_MS);
  const { code, output } = await scene.deployment.cli('source', 'accept', TABLE);
  if (code !== EXIT.done) throw new Error(`the loss of a column was not accepted: ${output}`);
}

export const SOURCE_FAULTS: readonly Fault[] = [
  {
    name: 'late-commit',
    what: 'A transaction takes an id and commits 5 to 20 s later; a row of the same key follows.',
    expected: 'Its gap stays open, rows behind it do not wait, it arrives before the row that followed.',
    targets: ['source', 'database'],
    weight: 2,
    inject: async (scene) => {
      const holdMs = scene.chance.integer(5_000, 20_000);
      await commitLate(scene, holdMs);
      return { detail: `${(holdMs / 1_000).toFixed(1)} s late` };
    },
  },
  {
    name: 'late-commit-60-s',
    what: 'A transaction takes an id and commits a minute later; a row of the same key follows.',
    expected: 'Its gap stays open as long; rows behind it do not wait, it arrives before the row that followed.',
    targets: ['source', 'database'],
    inject: async (scene) => {
      await commitLate(scene, VERY_LATE_MS);
      return { detail: `${VERY_LATE_MS / 1_000} s late` };
    },
  },
  {
    name: 'bulk-insert',
    what: `${BULK_ROWS} rows of one key in one INSERT.`,
    expected: 'All arrive in order.',
    targets: ['source', 'database'],
    inject: async (scene) => {
      await insertBulk(scene);
      return { detail: `${BULK_ROWS} rows` };
    },
  },
  {
    name: 'message-too-large',
    what: 'A row that no broker takes, between two others of its key.',
    expected: 'It is a dead letter after its retries; the rows before and after it arrive, and no other lane waits.',
    targets: ['source', 'database'],
    inject: async (scene) => {
      await giveUpRow(scene, 'large', { note: 'L'.repeat(TOO_LARGE_BYTES) });
      return { detail: `${TOO_LARGE_BYTES} bytes` };
    },
  },
  {
    name: 'row-topic-too-long',
    what: `A row that names a topic of ${LONG_TOPIC} characters, between two others of its key.`,
    expected:
      'It is a dead letter; the rows before and after it arrive, the source is not halted, and all others flow.',
    targets: ALL_TARGETS,
    inject: (scene) => refusedTopic(scene, 'a'.repeat(LONG_TOPIC)),
  },
  {
    name: 'row-topic-illegal',
    what: 'A row that names a topic that no broker allows, between two others of its key.',
    expected: 'It is a dead letter; the rows before and after it arrive, and all others flow.',
    targets: ALL_TARGETS,
    inject: (scene) => refusedTopic(scene, 'no topic, surely / ä'),
  },
  {
    name: 'column-added-and-dropped',
    what: 'ALTER TABLE adds a column to the source, and some seconds later drops it again.',
    expected:
      'The addition is not noticed; the loss of a column that is being read halts the source for all writers until an operator accepts it.',
    targets: ['source', 'database', 'writers'],
    inject: async (scene) => {
      const { column, kills } = await addColumn(scene);
      const holdMs = scene.chance.integer(3_000, 8_000);
      return { detail: column, kills, holdMs, heal: () => loseColumn(scene, `DROP COLUMN \`${column}\``) };
    },
  },
  {
    name: 'column-renamed',
    what: 'ALTER TABLE renames a column of the source that is being read.',
    expected: 'The source is halted for all writers; once an operator accepts it, it goes on with the new name.',
    targets: ['source', 'database', 'writers'],
    inject: async (scene) => {
      const { column, kills } = await addColumn(scene);
      const holdMs = scene.chance.integer(3_000, 8_000);
      const heal = async () => {
        await loseColumn(scene, `RENAME COLUMN \`${column}\` TO \`${column}_new\``);
        await loseColumn(scene, `DROP COLUMN \`${column}_new\``);
      };
      return { detail: column, kills, holdMs, heal };
    },
  },
];
