/** Faults that mean: the group has moved on without us, or is about to. */

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
