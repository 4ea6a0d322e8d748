/** Ends what the consumer is made of, one after the other, each within its time: what cannot be ended is said, and left. */
import { asRelayError, type Logger, withDeadline } from '#runtime';

const CLOSE_DEADLINE_MS = 10_000;

/** By what is done. Never rejects. */
export async function closeInOrder(
  logger: Logger,
  steps: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<void> {
  for (const [what, close] of Object.entries(steps)) {
    await withDeadline(close(), CLOSE_DEADLINE_MS, what).catch((thrown) => {
      logger.warn({ err: asRelayError(thrown) }, `${what} failed`);
    });
  }
}
