/**
 * A consumer that handles each event once: the inbox keeps the ids in the consumer's own database, in one transaction with what
 * the event does there. Prints every event it handles.
 *
 *   node apps/examples/sqlite/consumer.ts localhost:9092 users ./consumer.db
 */
import { DatabaseSync } from 'node:sqlite';
import { inboxRunConfig, inboxTableSql } from 'kafka-row-sender/inbox';
import { Kafka, logLevel } from 'kafkajs';

const [brokers = 'localhost:9092', topic = 'users', file = './consumer.db', groupId = 'users-example'] =
  process.argv.slice(2);

const db = new DatabaseSync(file, { timeout: 5_000 });
for (const sql of inboxTableSql({ dialect: 'sqlite' })) db.exec(sql);
db.exec('CREATE TABLE IF NOT EXISTS packets (event TEXT, payload TEXT)');

const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId, sessionTimeout: 6_000, heartbeatInterval: 1_000, maxWaitTimeInMs: 100 });
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run(
  inboxRunConfig({
    database: db,
    handler: (tx: DatabaseSync, { eventId, message }) => {
      const payload = message.value?.toString() ?? null;
      tx.prepare('INSERT INTO packets VALUES (?, ?)').run(eventId, payload);
      console.log(`Received packet: ${eventId} ${message.headers?.type} ${payload}`);
    },
  }),
);

process.once('SIGTERM', async () => {
  await consumer.disconnect();
  db.close();
});
