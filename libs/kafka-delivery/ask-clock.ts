/** What time it is at a transaction coordinator: the start of a transaction that is begun for it, and aborted. */
import { demandOfCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import { faultOfThrown, isUnanswerable, type Step } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { describeTransactions } from './wire/inspect-requests.ts';
import type { WireRequest } from './wire/request.ts';
import { addOffsetsToTxn, endTxn, type ProducerIdentity } from './wire/transaction-requests.ts';

export interface ClockDifference {
  /** Wall clock of the transaction coordinator less ours, in milliseconds. */
  readonly value: number;
  /** By how much that may be wrong. */
  readonly error: number;
}

const PATIENCE_MS = 5_000;

function ask<Answer extends { readonly code: number }>(
  brokers: Brokers,
  settings: KafkaSettings,
  key: string,
  step: Step,
  request: WireRequest<Answer>,
): Promise<Answer> {
  return demandOfCoordinator(brokers, settings, { kind: 'transaction', key, step, request, patienceMs: PATIENCE_MS });
}

/** Null where the broker is older than 3.0 or does not let us see transactions. */
async function startOf(brokers: Brokers, settings: KafkaSettings, id: string): Promise<number | null> {
  try {
    const { transactions } = await ask(brokers, settings, id, 'read', describeTransactions([id]));
    const startedAtMs = transactions[0]?.startedAtMs ?? -1;
    return startedAtMs < 0 ? null : startedAtMs;
  } catch (error) {
    if (isUnanswerable(faultOfThrown(error, { step: 'read' }))) return null;
    throw error;
  }
}

/** Needs a producer without an open transaction, and at least one group, all of which it may write to. Null: it does not tell. */
export async function askClock(
  brokers: Brokers,
  settings: KafkaSettings,
  identity: ProducerIdentity,
  groups: readonly string[],
): Promise<ClockDifference | null> {
  const [first, ...others] = groups;
  if (first === undefined) return null;
  const id = identity.transactionalId;
  const askedAtMs = settings.clock.wallMs();
  await ask(brokers, settings, id, 'init', addOffsetsToTxn(identity, first));
  const answeredAtMs = settings.clock.wallMs();
  for (const group of others) await ask(brokers, settings, id, 'init', addOffsetsToTxn(identity, group));
  const startedAtMs = await startOf(brokers, settings, id);
  await ask(brokers, settings, id, 'init', endTxn(identity, false));
  if (startedAtMs === null) return null;
  // It began somewhere between question and answer.
  return { value: startedAtMs - (askedAtMs + answeredAtMs) / 2, error: (answeredAtMs - askedAtMs) / 2 };
}
