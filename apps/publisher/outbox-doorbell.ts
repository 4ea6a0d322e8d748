/** Tells the relay that rows were committed, so that it need not wait for its next poll. A lost ring costs that poll, no more. */
import { createRedisDoorbell } from '#doorbell';
import { silentLogger } from '#runtime';

export interface OutboxDoorbell {
  /** After the commit. Never rejects, never waits. */
  ring(): void;
  close(): Promise<void>;
}

export interface OutboxDoorbellOptions {
  /** As the relay's REDIS_URL. */
  readonly redisUrl: string;
  /** As the relay's REDIS_PREFIX. */
  readonly prefix?: string;
  /** The relay's source: its name, which is the table's unless SOURCE_NAME says otherwise. */
  readonly source?: string;
}

export function createOutboxDoorbell(options: OutboxDoorbellOptions): OutboxDoorbell {
  const { redisUrl: url, prefix = 'kafka-row-sender', source = 'outboxevent' } = options;
  const doorbell = createRedisDoorbell({ url, prefix, logger: silentLogger });
  return { ring: () => doorbell.ring({ kind: 'source-rows', source }), close: () => doorbell.close() };
}
