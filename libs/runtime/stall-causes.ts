/**
 * What can keep rows from moving: a closed set, and for each cause what it is, what to do, and where it is known from. Health,
 * `status`, metrics, the log, the webhook and `doctor` all name a cause by its name here, so that they say the same.
 */

export interface StallFacts {
  /** One sentence without its end: what keeps rows from moving. */
  readonly says: string;
  /** What somebody does about it. */
  readonly todo: string;
  /** Where it is known from, for the document. */
  readonly from: string;
}

const SENDER_FAULT = 'the fault that the sender last met';
const WRITER_FAULT = 'the fault that writer or sender last met';

export const STALL_CAUSES = {
  'kafka-unreachable': {
    says: 'Kafka does not answer, or not in time',
    todo: 'start the brokers, or mend the way to them; delivery goes on by itself',
    from: SENDER_FAULT,
  },
  'kafka-refused': {
    says: 'Kafka refuses the login or a right',
    todo: 'mend the password or the ACL; doctor prints the command',
    from: SENDER_FAULT,
  },
  'kafka-unsupported': {
    says: 'Kafka cannot do, or is not allowed to do, what the relay needs',
    todo: 'see what doctor says of the brokers and of the settings',
    from: SENDER_FAULT,
  },
  'kafka-fenced': {
    says: 'another process ends the transactions of this one again and again',
    todo: 'give each process its own INSTANCE_ID, or none; give each deployment its own transactional id prefix',
    from: SENDER_FAULT,
  },
  'kafka-throttled': {
    says: 'a quota of Kafka is too small for the rows',
    todo: 'raise the quota of the user or client id (producer_byte_rate, request_percentage)',
    from: SENDER_FAULT,
  },
  'coordinator-away': {
    says: 'the coordinator of transactions or of the marker group is not available',
    todo: 'start the brokers of __transaction_state and __consumer_offsets, and compare their replication factors with the number of brokers',
    from: SENDER_FAULT,
  },
  'topic-missing': {
    says: 'a topic does not exist',
    todo: 'make it, or run init --create-topics; init makes the marker topic',
    from: SENDER_FAULT,
  },
  'topic-refused': {
    says: 'Kafka does not let the relay write to a topic',
    todo: 'grant Write and Describe on the topic; doctor prints the command',
    from: SENDER_FAULT,
  },
  'topic-leaderless': {
    says: 'a partition has no leader',
    todo: 'start the broker that has its replicas; kafka-topics.sh --describe --unavailable-partitions names it',
    from: SENDER_FAULT,
  },
  'topic-in-sync-loss': {
    says: 'a partition has fewer replicas in sync than min.insync.replicas',
    todo: 'start the brokers that are away, or lower min.insync.replicas of the topic',
    from: SENDER_FAULT,
  },
  'row-refused': {
    says: 'Kafka refuses a row; the rows of its key wait behind it',
    todo: 'dead-letters list --all says why; mend that, and they arrive by themselves',
    from: 'the table of rows set aside',
  },
  'dead-letters': {
    says: 'rows were given up after their last attempt, and wait for an operator',
    todo: 'dead-letters list, then show, retry or drop',
    from: 'the table of rows set aside',
  },
  'database-unreachable': {
    says: 'the database does not answer, or not in time',
    todo: 'start it, or mend the way to it; everything goes on by itself',
    from: WRITER_FAULT,
  },
  'database-refused': {
    says: 'the database refuses the login or a right',
    todo: 'mend the password or the grant; doctor prints the statement',
    from: WRITER_FAULT,
  },
  'database-read-only': {
    says: 'the database takes no writes: it is a replica, or read_only is set',
    todo: 'point DB_HOST at the primary, or end read_only',
    from: WRITER_FAULT,
  },
  'database-full': {
    says: 'the database has no room or no memory left',
    todo: 'free disk space on the database server',
    from: WRITER_FAULT,
  },
  'database-busy': {
    says: 'statements wait for locks that are not given, or are ended by a time limit',
    todo: 'end the session that holds the lock: SHOW PROCESSLIST, SHOW ENGINE INNODB STATUS; LOCK TABLES and long ALTERs count',
    from: WRITER_FAULT,
  },
  'database-error': {
    says: 'the database answers with an error that the relay does not know',
    todo: "look the number up in the server's reference; the relay tries again until it passes",
    from: WRITER_FAULT,
  },
  'database-schema': {
    says: 'a table, or a column of one, is not as it must be',
    todo: 'see the fault; run init, or put the table back',
    from: WRITER_FAULT,
  },
  'source-halted': {
    says: 'the source is halted: its table is not what it was',
    todo: 'source list says why, source accept lets it go on',
    from: 'the watermark row of the source',
  },
  'gaps-at-bound': {
    says: 'so many missing ids are open that no new rows are read',
    todo: 'end the transactions that hold them: status names the oldest',
    from: 'the event gaps-at-bound of the writer',
  },
  'no-leader': {
    says: 'no writer that lives leads the source',
    todo: 'start a writer, or mend what the lock needs (Redis, or the database); a stopped process may still have the lock: continue or end it',
    from: 'the leader in the watermark row, and the heartbeats of writers',
  },
  'redis-unreachable': {
    says: 'Redis, which has the lock of the leader, gives no usable answer, and the database gives no lock either',
    todo: 'start Redis, or mend its rights',
    from: 'the event election-waits of a writer that stands by',
  },
  'no-sender': {
    says: 'no sender lives',
    todo: 'start a sender: kafka-row-sender-sender, or run',
    from: 'the heartbeats of senders',
  },
  'lane-not-held': {
    says: 'no sender that lives holds the lane',
    todo: "see the senders' logs; a lane of a stopped sender is taken over once its lease has run out",
    from: 'holder and lease in the row of the lane',
  },
  'lane-halted': {
    says: 'the lane is halted',
    todo: 'status says why, lane resume lets it go on',
    from: 'the row of the lane',
  },
  'lane-paused': {
    says: 'the lane is paused by an operator',
    todo: 'lane resume lets it go on',
    from: 'the row of the lane',
  },
  unknown: {
    says: 'the cause is not known',
    todo: 'read the last fault and the log; doctor looks at the rest',
    from: 'rows wait and none moved, whatever the reason',
  },
} as const satisfies Record<string, StallFacts>;

export type StallCause = keyof typeof STALL_CAUSES;

export const isStallCause = (name: unknown): name is StallCause =>
  typeof name === 'string' && Object.hasOwn(STALL_CAUSES, name);
