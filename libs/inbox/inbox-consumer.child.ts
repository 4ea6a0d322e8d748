/** A consumer in a process of its own, for the test that kills it: counts each event once in the database. */
import kafkajs from 'kafkajs';
import mysql from 'mysql2/promise';
import { inboxRunConfig } from './index.ts';

const { bootstrap, topic, groupId, database } = JSON.parse(process.argv[2] ?? '{}');
const pool = mysql.createPool({ ...database, connectionLimit: 2 });
const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
const consumer = kafka.consumer({ groupId, sessionTimeout: 6_000, heartbeatInterval: 500, maxWaitTimeInMs: 100 });

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const config = inboxRunConfig({
  database: pool,
  handler: async (tx, { eventId }) => {
    await tx.query('INSERT INTO effects (event) VALUES (?)', [eventId]);
    process.stdout.write(`{"msg":"effect"}\n`);
  },
  onOutcome: (outcome) => process.stdout.write(`${JSON.stringify({ msg: outcome })}\n`),
});
await consumer.run(config);
