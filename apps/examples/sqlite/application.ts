/**
 * An application that knows nothing of Kafka: each user is created in one transaction with the event that tells of it.
 *
 *   node apps/examples/sqlite/application.ts ./app.db 200
 */
import { DatabaseSync } from 'node:sqlite';

const [file = './app.db', count = '10', pauseMs = '0'] = process.argv.slice(2);

// The relay writes to the file, too: wait for it instead of failing.
const db = new DatabaseSync(file, { timeout: 5_000 });
db.exec(`
  CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT);
  CREATE TABLE IF NOT EXISTS users_outbox (id INTEGER PRIMARY KEY, aggregateId INTEGER, eventType TEXT, payload TEXT)`);

const insertUser = db.prepare('INSERT INTO users (name) VALUES (?)');
const insertEvent = db.prepare('INSERT INTO users_outbox (aggregateId, eventType, payload) VALUES (?, ?, ?)');

function createUser(name: string): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    const id = Number(insertUser.run(name).lastInsertRowid);
    insertEvent.run(id, 'UserCreated', JSON.stringify({ id, name }));
    db.exec('COMMIT');
  } catch (error) {
    // Neither the user nor the event.
    db.exec('ROLLBACK');
    throw error;
  }
}

for (let number = 1; number <= Number(count); number += 1) {
  createUser(`user ${number}`);
  if (Number(pauseMs) > 0) await new Promise((resolve) => setTimeout(resolve, Number(pauseMs)));
}
db.close();
