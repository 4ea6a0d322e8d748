/**
 * Asks the coordinator of a group or transactional id, and waits while the answer is "not yet": it is starting, it moved,
 * it still ends the last transaction. In all these cases the broker has done nothing, so asking again is safe.
 */
import { backoffMs, RelayError } from '#runtime';
import { type Brokers, noCoordinator } from './brokers.ts';
import { explainCoordinator } from './explain-coordinator.ts';
import { CODE, faultOfCode, faultOfThrown, type Step } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import type { CoordinatorKind } from './wire/cluster-requests.ts';
import type { WireRequest } from './wire/request.ts';

export interface Question<Answer> {
  readonly kind: CoordinatorKind;
  readonly key: string;
  readonly step: Step;
  readonly request: WireRequest<Answer>;
  /** How long "not yet" is waited for. */
  readonly patienceMs: number;
  /** The same while a transaction is being ended, where that is less. */
  readonly endingMs?: number;
}

/** Markers of the last transaction, or somebody's open one, take milliseconds to end. */
const QUICK = { baseMs: 1, maxMs: 20 };
/** A coordinator that starts or moves takes seconds. */
const SLOW = { baseMs: 20, maxMs: 500 };

/** A cluster that starts makes its topics in less; what it can never make is told then, and not when patience ends. */
const EXPLAIN_AFTER_MS = 3_000;

const ENDING: readonly number[] = [CODE.concurrentTransactions, CODE.unstableOffsets];
const AWAY: readonly number[] = [CODE.coordinatorLoading, CODE.coordinatorNotAvailable, CODE.notCoordinator];

async function askOnce<Answer extends { readonly code: number }>(
  brokers: Brokers,
  question: Question<Answer>,
): Promise<{ readonly code: number; readonly answer: Answer | null }> {
  const { kind, key, step, request } = question;
  try {
    const { code, link } = await brokers.coordinator(kind, key);
    if (link === null) return { code, answer: null };
    const answer = await link.ask(request);
    return { code: answer.code, answer };
  } catch (error) {
    // It may be gone for good, and another one in its place: whoever asks next looks for it anew.
    brokers.forgetCoordinators();
    throw faultOfThrown(error, { step, api: request.name });
  }
}

/** Throws the fault with its cause, where one can be seen. */
async function explain<Answer>(
  brokers: Brokers,
  { kind, step, request }: Question<Answer>,
  asked: 'unmade' | 'all',
): Promise<void> {
  const why = await explainCoordinator(brokers, kind, asked);
  if (why === null) return;
  const fault = faultOfCode(CODE.coordinatorNotAvailable, { step, api: request.name });
  throw new RelayError(fault.code, `${fault.message}: ${why}`, { details: fault.details });
}

/**
 * The first answer that is not "not yet", or the last one when patience ends: the caller judges its code.
 * Throws the fault table's codes when there is no coordinator or it cannot be reached.
 */
export async function askCoordinator<Answer extends { readonly code: number }>(
  brokers: Brokers,
  settings: KafkaSettings,
  question: Question<Answer>,
): Promise<Answer> {
  const { clock, random, logger } = settings;
  const startedAtMs = clock.nowMs();
  const { patienceMs, endingMs = patienceMs } = question;
  let explained = patienceMs <= EXPLAIN_AFTER_MS;
  for (let attempt = 1; ; attempt += 1) {
    const { code, answer } = await askOnce(brokers, question);
    if (!explained && code === CODE.coordinatorNotAvailable && clock.nowMs() > startedAtMs + EXPLAIN_AFTER_MS) {
      explained = true;
      await explain(brokers, question, 'unmade');
    }
    const ending = ENDING.includes(code);
    const away = AWAY.includes(code);
    if ((!ending && !away) || clock.nowMs() > startedAtMs + Math.min(patienceMs, ending ? endingMs : patienceMs)) {
      if (code === CODE.coordinatorNotAvailable && question.patienceMs > 0) await explain(brokers, question, 'all');
      if (answer) return answer;
      throw noCoordinator(code);
    }
    if (away) {
      brokers.forgetCoordinators();
      logger.debug({ api: question.request.name, code, attempt }, 'the coordinator is not ready yet');
    }
    await clock.sleep(backoffMs(attempt, ending ? QUICK : SLOW, random));
  }
}

/** As `askCoordinator`, where every code but 0 is a fault: rejects with the fault table's codes. */
export async function demandOfCoordinator<Answer extends { readonly code: number }>(
  brokers: Brokers,
  settings: KafkaSettings,
  question: Question<Answer>,
): Promise<Answer> {
  const answer = await askCoordinator(brokers, settings, question);
  if (answer.code !== CODE.none) throw faultOfCode(answer.code, { step: question.step, api: question.request.name });
  return answer;
}
