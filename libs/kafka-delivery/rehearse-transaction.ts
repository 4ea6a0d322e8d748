/**
 * A transaction that writes nothing: opened under an id of its own, given the marker groups, and aborted. It shows that we may
 * open a producer with our timeout, that coordinators answer, and what time it is there.
 */
import { asRelayError, withDeadline } from '#runtime';
import { askCoordinator } from './ask-coordinator.ts';
import type { Brokers } from './brokers.ts';
import type { KafkaConnection } from './connect-kafka.ts';
import { CODE, faultOfCode, faultOfThrown, type Step } from './fault-table.ts';
import { initProducer } from './init-producer.ts';
import { type KafkaSettings, markerGroup } from './kafka-options.ts';
import { describeTransactions } from './wire/inspect-requests.ts';
import type { WireRequest } from './wire/request.ts';
import { addOffsetsToTxn, endTxn } from './wire/transaction-requests.ts';

export interface Rehearsal {
  /** Wall clock of the transaction coordinator less ours, in milliseconds, with the error it may have; null where it does not tell. */
  readonly clockAheadMs: { readonly value: number; readonly error: number } | null;
}

const DEADLINE_MS = 20_000;
const PATIENCE_MS = 5_000;

async function ask<Answer extends { readonly code: number }>(
  brokers: Brokers,
  settings: KafkaSettings,
  key: string,
  step: Step,
  request: WireRequest<Answer>,
): Promise<Answer> {
  const answer = await askCoordinator(brokers, settings, {
    kind: 'transaction',
    key,
    step,
    request,
    patienceMs: PATIENCE_MS,
  });
  if (answer.code !== CODE.none) throw faultOfCode(answer.code, { step, api: request.name });
  return answer;
}

/** Null where the broker is older than 3.0 or does not let us see transactions. */
async function startOf(brokers: Brokers, settings: KafkaSettings, id: string): Promise<number | null> {
  try {
    const { transactions } = await ask(brokers, settings, id, 'read', describeTransactions([id]));
    const startedAtMs = transactions[0]?.startedAtMs ?? -1;
    return startedAtMs < 0 ? null : startedAtMs;
  } catch (error) {
    const { code } = asRelayError(error);
    if (code === 'KAFKA_UNSUPPORTED' || code === 'KAFKA_REFUSED') return null;
    throw error;
  }
}

async function play(brokers: Brokers, settings: KafkaSettings, id: string): Promise<Rehearsal> {
  const identity = await initProducer(brokers, id, settings);
  const askedAtMs = settings.clock.wallMs();
  const group = (kind: 'lane' | 'retry') => markerGroup(settings.prefix, settings.outboxTable, kind);
  await ask(brokers, settings, id, 'init', addOffsetsToTxn(identity, group('lane')));
  const answeredAtMs = settings.clock.wallMs();
  await ask(brokers, settings, id, 'init', addOffsetsToTxn(identity, group('retry')));
  const startedAtMs = await startOf(brokers, settings, id);
  await ask(brokers, settings, id, 'init', endTxn(identity, false));
  if (startedAtMs === null) return { clockAheadMs: null };
  // It began somewhere between question and answer.
  const value = startedAtMs - (askedAtMs + answeredAtMs) / 2;
  return { clockAheadMs: { value, error: (answeredAtMs - askedAtMs) / 2 } };
}

/** Rejects with KAFKA_REFUSED without the rights, CONFIG_INVALID for a timeout above the brokers' limit, and the fault table's codes. */
export async function rehearseTransaction(connection: KafkaConnection, transactionalId: string): Promise<Rehearsal> {
  const brokers = connection.brokers();
  try {
    const playing = play(brokers, connection.settings, transactionalId);
    return await withDeadline(playing, DEADLINE_MS, 'rehearsing a transaction').catch((error) => {
      throw faultOfThrown(error, { step: 'init' });
    });
  } finally {
    await brokers.close();
  }
}
