/** A deadline around a call that leaves the process. The call itself may go on; its late outcome is swallowed. */
import { RelayError } from './errors.ts';

/**
 * Settles like `work`, or rejects with DEADLINE_EXCEEDED after `deadlineMs`.
 * A late rejection of `work` is ignored on purpose: the caller has already treated the outcome as unknown.
 */
export async function withDeadline<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new RelayError('DEADLINE_EXCEEDED', `${what} took longer than ${deadlineMs} ms`)),
      deadlineMs,
    );
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}
