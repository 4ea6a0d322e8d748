/** Faults that mean: the group has moved on without us, or is about to. */
import { RelayError } from '#runtime';

const LOST_TYPES: readonly unknown[] = [
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'NOT_COORDINATOR_FOR_GROUP',
  'FENCED_INSTANCE_ID',
];

/** True when kafkajs joins the group anew after this error. */
export const isMembershipLost = (thrown: unknown): boolean =>
  LOST_TYPES.includes((thrown as { type?: unknown } | null)?.type);

/** True when the coordinator refused the offsets of a transaction because the group has moved on. */
export const isGroupLost = (error: RelayError): boolean =>
  error.code === 'KAFKA_FENCED' && LOST_TYPES.includes(error.details.type);

class MembershipLostError extends RelayError {
  /** What kafkajs looks at. */
  readonly type = 'REBALANCE_IN_PROGRESS';
}

/** For kafkajs, which then joins the group anew. */
export const membershipLost = (cause: RelayError): Error =>
  new MembershipLostError('KAFKA_FENCED', 'the group has moved on without this member', { cause });

/** For work of a round of the group that is over. */
export const movedOn = (): Error => new MembershipLostError('KAFKA_FENCED', 'the group is in another round by now');
