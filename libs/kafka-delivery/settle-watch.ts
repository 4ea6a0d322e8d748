/**
 * Says when it cannot be told for a while what Kafka has written for good: rows are delivered, none is deleted, and the outbox
 * grows without anybody noticing.
 */
import { asRelayError, type Clock, type Logger } from '#runtime';

/** A broker that is restarted is back sooner. */
const PATIENCE_MS = 20_000;
const SAID_EVERY_MS = 60_000;

export type SettleWatch = <T>(look: () => Promise<T>) => Promise<T>;

/** Passes on what `look` answers or throws. */
export function createSettleWatch({ clock, logger }: { readonly clock: Clock; readonly logger: Logger }): SettleWatch {
  let failingSinceMs: number | null = null;
  let saidAtMs: number | null = null;
  return async (look) => {
    try {
      const answer = await look();
      if (saidAtMs !== null) logger.info({ event: 'settling' }, 'delivered rows are deleted again');
      failingSinceMs = null;
      saidAtMs = null;
      return answer;
    } catch (thrown) {
      const nowMs = clock.nowMs();
      failingSinceMs ??= nowMs;
      const forMs = Math.round(nowMs - failingSinceMs);
      if (forMs >= PATIENCE_MS && nowMs - (saidAtMs ?? -SAID_EVERY_MS) >= SAID_EVERY_MS) {
        saidAtMs = nowMs;
        const { code, message } = asRelayError(thrown);
        const facts = { event: 'not-settling', code, reason: message, forMs };
        logger.warn(facts, 'Kafka does not say what it has written for good: delivered rows are not deleted meanwhile');
      }
      throw thrown;
    }
  };
}
