/** Who lends a session for a statement: the pool, or a snapshot that has one of its own. */
import type { Session } from '#database';

export interface Lender {
  use<T>(work: (session: Session) => Promise<T>): Promise<T>;
}
