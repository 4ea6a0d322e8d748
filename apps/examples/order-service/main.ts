/**
 * Runs the order service on PORT (3000). The database is that of the relay's settings (KAFKA_ROW_SENDER_DB_..); the relay is
 * another process, `kafka-row-sender run` with SOURCE_MODE=consume and SOURCE_TABLE=outboxevent.
 */
import { OutboxRepository } from 'kafka-row-sender/outbox';
import { createOutboxDoorbell } from 'kafka-row-sender/publisher';
import mysql from 'mysql2/promise';
import { createOrderService } from './order-service.ts';
import { createTables } from './order-tables.ts';

const setting = (name: string, usual: string): string => process.env[`KAFKA_ROW_SENDER_${name}`] ?? usual;

const pool = mysql.createPool({
  host: setting('DB_HOST', 'localhost'),
  port: Number(setting('DB_PORT', '3306')),
  user: setting('DB_USER', 'app'),
  password: setting('DB_PASSWORD', ''),
  database: setting('DB_NAME', 'shop'),
});
await createTables(pool);
// With Redis the relay hears of each commit; without, its next poll finds the row.
const redisUrl = setting('REDIS_URL', '');
const doorbell =
  redisUrl === '' ? null : createOutboxDoorbell({ redisUrl, prefix: setting('REDIS_PREFIX', 'kafka_row_sender') });
const outbox = new OutboxRepository({ source: '/order-service', ...(doorbell === null ? {} : { doorbell }) });
const service = createOrderService({ pool, outbox });
const address = await service.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
console.log(`order service at ${address}`);

const stop = async () => {
  await service.close();
  await doorbell?.close();
  await pool.end();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
