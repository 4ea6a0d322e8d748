/** Asks whether the last transaction of an id is decided, though its end may still be on its way to some partitions. */
import { askCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { CODE } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { describeTransactions } from './wire/inspect-requests.ts';

const PATIENCE_MS = 1_000;
const DECIDED: readonly string[] = ['PrepareCommit', 'PrepareAbort', 'CompleteCommit', 'CompleteAbort'];

/** False, too, where that may not be asked. Rejects with the fault table's codes. */
export async function isDecided(brokers: Brokers, settings: KafkaSettings, transactionalId: string): Promise<boolean> {
  const request = describeTransactions([transactionalId]);
  const question = {
    kind: 'transaction',
    key: transactionalId,
    step: 'read',
    request,
    patienceMs: PATIENCE_MS,
  } as const;
  const { code, transactions } = await askCoordinator(brokers, settings, question);
  return code === CODE.none && transactions.every(({ state }) => DECIDED.includes(state)) && transactions.length > 0;
}
