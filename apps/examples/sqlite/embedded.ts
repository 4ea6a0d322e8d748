/**
 * Application and relay in one process: users and their events go into one file, and the relay beside them sends the events.
 *
 *   node apps/examples/sqlite/embedded.ts ./app.db localhost:9092 users 10
 */
import { DatabaseSync } from 'node:sqlite';
import { OutboxRepository, outboxTableSql, sqliteTransaction } from 'kafka-row-sender/outbox';
import { startSqliteRelay } from 'kafka-row-sender/sqlite';

const [file = './app.db', kafka = 'localhost:9092', topic = 'users', count = '10'] = process.argv.slice(2);

const db = new DatabaseSync(file, { timeout: 5_000 });
db.exec('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT)');
for (const sql of outboxTableSql({ dialect: 'sqlite' })) db.exec(sql);

const relay = await startSqliteRelay({
  file,
  kafka,
  sources: [{ table: 'outboxevent', topic }],
  onNotification: ({ kind, text }) => console.error(`${kind}: ${text}`),
});

const outbox = new OutboxRepository({ source: '/examples/sqlite' });
const insertUser = db.prepare('INSERT INTO users (name) VALUES (?)');

for (let number = 1; number <= Number(count); number += 1) {
  db.exec('BEGIN IMMEDIATE');
  const name = `user ${number}`;
  const id = Number(insertUser.run(name).lastInsertRowid);
  const event = { type: 'UserCreated', aggregateType: 'user', aggregateId: String(id), payload: { id, name }, topic };
  outbox.addSync(sqliteTransaction(db), event);
  db.exec('COMMIT');
}
relay.ring();

for (;;) {
  const { sources, backlog } = await relay.status();
  if (sources.every(({ distance }) => distance === 0n) && backlog.rows === 0) break;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await relay.stop();
db.close();
console.log(`${count} users created, their events are in Kafka`);
