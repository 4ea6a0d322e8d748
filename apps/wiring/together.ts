/** Parts of one process that live and end together. */
import type { Service } from './service.ts';

/** Runs the parts side by side; the fault of one stops the others cleanly before it is passed on. */
export async function together(
  service: Service,
  parts: readonly ((service: Service) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([service.signal, failed.signal]);
  const outcomes = await Promise.allSettled(
    parts.map((part) =>
      part({ ...service, signal }).catch((thrown: unknown) => {
        failed.abort();
        throw thrown;
      }),
    ),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}
