/** Tells the relay that rows were committed, so that it need not wait for its next poll. A lost ring costs that poll, no more. */
import { createCommitHints, createRedisDoorbell } from '#doorbell';
import { targetOf } from '#redis';
import { silentLogger } from '#runtime';

export interface OutboxDoorbell {
  /** After the commit. Never throws, never waits. */
  ring(): void;
  /**
   * Before the commit, when nobody will say that it was made: rings soon, and again at growing intervals up to 20 s. This is what an
   * OutboxRepository does that was given the doorbell. Never throws, never waits, keeps no process alive.
   */
  ringSoon(): void;
  /** Rings that are due are made at once; waits 1.5 s at most. Its connection to Redis keeps a process alive until then. */
  close(): Promise<void>;
}

export interface OutboxDoorbellOptions {
  /** As the relay's REDIS_URL. */
  readonly redisUrl: string;
  /** As the relay's REDIS_PREFIX; default that setting's own. */
  readonly prefix?: string;
  /** The relay's source: its name, which is the table's unless SOURCE_NAME says otherwise. */
  readonly source?: string;
}

/** The default of the setting REDIS_PREFIX: with another one the relay would listen elsewhere. */
const PREFIX_DEFAULT = 'kafka_row_sender';

/** Throws CONFIG_INVALID for an address that is none; a Redis that is away is no error. */
export function createOutboxDoorbell(options: OutboxDoorbellOptions): OutboxDoorbell {
  const { redisUrl: url, prefix = PREFIX_DEFAULT, source = 'outboxevent' } = options;
  const redis = targetOf(url, 'redisUrl');
  const doorbell = createRedisDoorbell({ redis, prefix, logger: silentLogger });
  const ring = () => doorbell.ring({ kind: 'source-rows', source });
  const hints = createCommitHints({ ring });
  return {
    ring,
    ringSoon: () => hints.ringSoon(),
    close: () => {
      hints.close();
      return doorbell.close();
    },
  };
}
