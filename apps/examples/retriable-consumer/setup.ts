/** Makes the topics of the example, and sends a few orders: `npm run example:send-orders`. */
import { connectKafka, createGroupTransactions, createTopicAdmin } from '#kafka-delivery';
import { silentLogger } from '#runtime';

const { env } = process;
const topic = env.EXAMPLE_TOPIC ?? 'example-orders';
const brokers = (env.KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS ?? '127.0.0.1:9092').split(',');
const common = { brokers, clientId: 'example', logger: silentLogger };
const admin = createTopicAdmin(connectKafka({ ...common, prefix: '', outboxTable: '' }));
for (const name of [topic, `${topic}.retry`, `${topic}.dead`]) await admin.ensureTopic(name, 2);
await admin.close();

const orders = ['{"account":"ann","amount":5}', '{"account":"later","amount":7}', 'no order at all'];
const run = Date.now();
const transactions = createGroupTransactions({ ...common, transactionalId: `${topic}.orders` });
await transactions.transact(
  orders.map((value, i) => ({
    topic,
    key: null,
    value: Buffer.from(value),
    headers: { id: `${run}-${i}` },
    spread: i,
  })),
  null,
);
await transactions.close();
process.stdout.write(`${orders.length} orders were sent to ${topic}\n`);
