/** Halts the source on a fault of the data, under the epoch of the term that met it, and before anybody else can lead it. */
import { asRelayError, RelayError } from '#runtime';
import type { WatermarkState, WriterStore } from './ports.ts';
import { haltsSource, howToGoOn } from './source-halts.ts';

export interface HaltingTerm {
  readonly store: WriterStore;
  readonly source: string;
  readonly epoch: number;
}

/** Throws SOURCE_HALTED when the watermark row says so. */
export function refuseHalted({ source, state, cause, why }: WatermarkState): void {
  if (state === 'halted') throw haltedBy(source, cause, why ?? '');
}

const haltedBy = (source: string, haltCause: string | null, why: string, cause?: unknown): RelayError =>
  new RelayError('SOURCE_HALTED', `${why}; ${howToGoOn(source, haltCause)}`, { cause, details: { cause: haltCause } });

/**
 * Runs `work`; its fault of the data is written down and thrown as SOURCE_HALTED. `onFenced` answers when somebody else leads by now.
 * When it cannot be written down, the fault of the database is thrown: whoever leads next finds the table as it is.
 */
export async function haltOn<T>(term: HaltingTerm, work: () => Promise<T>, onFenced: () => T): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = asRelayError(thrown);
    if (!haltsSource(error)) throw error;
    const { store, source, epoch } = term;
    const why = error.message;
    if (!(await store.haltSource({ source, epoch, cause: error.code, why }))) return onFenced();
    throw haltedBy(source, error.code, why, error);
  }
}
