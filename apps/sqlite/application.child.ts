/**
 * An application for tests, in a process of its own: users and their events in one transaction, some rolled back, all written
 * as fast as the file takes them. Prints what it committed, and how long it ever waited for the file.
 */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

const { file, name, stopFile, users, seed, pauseMs } = JSON.parse(process.argv[2] ?? '{}');
const db = new DatabaseSync(file, { timeout: 5_000 });
db.exec(`CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT, events INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS users_outbox (id INTEGER PRIMARY KEY, aggregateId INTEGER, eventType TEXT, payload TEXT)`);

/** The test makes the stop file long before. */
const TRANSACTIONS_MAX = 200_000;

let state = seed;
const chance = (): number => {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
  return state / 2_147_483_648;
};

const user = db.prepare(
  'INSERT INTO users (id, name, events) VALUES (?, ?, 1) ON CONFLICT (id) DO UPDATE SET events = events + 1 RETURNING events',
);
const event = db.prepare('INSERT INTO users_outbox (aggregateId, eventType, payload) VALUES (?, ?, ?)');
let committed = 0;
let waitedMsMax = 0;
process.stdout.write(`${JSON.stringify({ msg: 'started' })}\n`);
for (let done = 0; done < TRANSACTIONS_MAX && !existsSync(stopFile); done += 1) {
  const beganMs = performance.now();
  // The file's other writers are the relay and another application: SQLITE_BUSY would be thrown here.
  db.exec('BEGIN IMMEDIATE');
  waitedMsMax = Math.max(waitedMsMax, performance.now() - beganMs);
  const count = 1 + Math.floor(chance() * 3);
  for (let each = 0; each < count; each += 1) {
    const id = 1 + Math.floor(chance() * users);
    const row = user.get(id, `user ${id}`) as { events: number };
    event.run(id, 'UserChanged', JSON.stringify({ user: id, n: row.events, by: name }));
  }
  if (chance() < 0.1) db.exec('ROLLBACK');
  else {
    db.exec('COMMIT');
    committed += count;
  }
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, chance() * pauseMs));
}
db.close();
process.stdout.write(`${JSON.stringify({ msg: 'ended', committed, waitedMsMax: Math.round(waitedMsMax) })}\n`);
