/** A consumer with its inbox in an SQLite file, in a process of its own, for the test that kills it. */
import { DatabaseSync } from 'node:sqlite';
import kafkajs from 'kafkajs';
import { inboxRunConfig } from './index.ts';

const { bootstrap, topic, groupId, file } = JSON.parse(process.argv[2] ?? '{}');
const db = new DatabaseSync(file, { timeout: 5_000 });
const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId, sessionTimeout: 6_000, heartbeatInterval: 500, maxWaitTimeInMs: 100 });

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const config = inboxRunConfig({
  database: db,
  handler: (tx: DatabaseSync, { eventId }) => {
    tx.prepare('INSERT INTO effects (event) VALUES (?)').run(eventId);
    process.stdout.write(`{"msg":"effect"}\n`);
  },
  onOutcome: (outcome) => process.stdout.write(`${JSON.stringify({ msg: outcome })}\n`),
});
await consumer.run(config);
