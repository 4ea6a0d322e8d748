/** Opens a Kafka transaction as a sender would and aborts it, where delivery is by transactions. */
import type { Config } from '#config';
import { type KafkaConnection, rehearseTransaction } from '#kafka-delivery';

/** What to say of it. Rejects with the fault's cause and what mends it, in one line. */
export async function tryTransaction(config: Config, connection: KafkaConnection): Promise<string> {
  if (config.deliveryMode !== 'exactly-once') return 'not used: delivery is at-least-once';
  // Of the command that asks most about transactions, which knows this id as its own.
  await rehearseTransaction(connection, `${config.kafka.transactionalIdPrefix}.doctor`);
  return 'opened and aborted one';
}
