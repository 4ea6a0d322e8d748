/** What every adapter says when it is given the library itself instead of a transaction of it. */
import { RelayError } from '#runtime';

/** Throws CONFIG_INVALID: without a transaction the event would be committed alone. */
export function requireTransaction(isTransaction: boolean, how: string): void {
  if (!isTransaction) throw new RelayError('CONFIG_INVALID', `an outbox event needs a transaction: pass ${how}`);
}
