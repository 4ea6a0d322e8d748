/** What each event means to an operator and what to do: total by type, so that a new event does not compile without an answer. */
import type { SenderEvent, WriterEvent } from '#outbox';
import { SENDER_LINES, WRITER_LINES } from '../wiring/log-events.ts';

const NOTHING = 'Nothing.';

const WRITER: Readonly<Record<WriterEvent['kind'], readonly [string, string]>> = {
  'standing-by': [
    'Another writer leads the source; this one takes over when its lock lapses or is given back.',
    NOTHING,
  ],
  elected: ['This writer has the lock of the source.', NOTHING],
  'election-waits': [
    'A standby gets no usable answer from Redis: `cause` is its code. After two TTLs (`fallbackInMs`) the lock of the database elects; `database` says why that cannot be had either.',
    'The line says what to do for `cause`; `doctor` names the command that is refused. [Redis refuses or is away](#redis-refuses-or-is-away).',
  ],
  'election-fallback': [
    'This writer leads while Redis gives no usable answer, `by` the lock of the database, or by the `epoch` alone. Rows move as ever.',
    'The same.',
  ],
  'election-restored': ['Redis says again who leads. The term went on, nobody was fenced.', NOTHING],
  'term-begun': ['It raised the epoch: every earlier writer is fenced. `position` is the watermark.', NOTHING],
  'lanes-differ': [
    'The setting LANES is for a new source only, and this one has another number of lanes.',
    'Set LANES to `lanes`, or add lanes with `lane grow`.',
  ],
  'term-ended': [
    '`stopped`: SIGTERM. `lock-lost`: Redis gave the lock to another. `fenced`: another writer raised the epoch, or `lane grow` did. `handed-over`: a writer with fewer sources takes it. `fault`: the next line says which.',
    'Look into `fenced` or `lock-lost` that come again and again: two deployments, or a Redis that forgets.',
  ],
  moved: ['A batch is in the outbox.', NOTHING],
  'gaps-opened': [
    'Ids are missing below one that was seen: an open transaction, a rollback, or ids never used.',
    NOTHING,
  ],
  'gaps-closed': [
    'Nothing came and nothing can come any more. At level info there is one line `gaps` for each source and 10 s: `opened` ids were found missing, `closed` were given up, `last` is the last one missing.',
    NOTHING,
  ],
  'gaps-held': [
    'Missing ids may still become rows. `holders`: running transactions that may own them; the oldest has the connection `connection` and began at `since`. `staleMs`: so long the server has shown no fresh list of its transactions.',
    'Nothing, while `oldestMs` is short. Else end the transaction (`KILL` with its connection), commit or roll back a prepared XA transaction (`XA RECOVER`), or stop a monitor that reads `information_schema.innodb_trx` more than ten times a second. Rows go on all the same: [missing ids that stay open](#missing-ids-that-stay-open).',
  ],
  'went-back': [
    'Mode `consume`: rows were found below the position, outside of every gap (ids set by hand, or a table restored); reading begins there again, and they are moved.',
    'Nothing, when it is meant.',
  ],
  'gaps-at-bound': [
    'So many gaps are open that new rows are not read until some close.',
    'End the transactions that hold them (event `gaps-held` names the oldest). In mode `time` a shorter SOURCE_GAP_GRACE closes them sooner.',
  ],
  'commit-unknown': ['The answer to a COMMIT was lost; the watermark row told what happened.', NOTHING],
  'writer-retry': [
    'The database is away or refuses. It is tried again after `delayMs`, for as long as it takes.',
    'See `code`: DB_REFUSED is a password or a grant, DB_READ_ONLY the wrong server, DB_FULL a disk, memory or a limit, DB_ROW_REFUSED a row larger than max_allowed_packet, DB_UNKNOWN an [error that this program does not know](#database-errors).',
  ],
  'source-halted': [
    'The source cannot go on by itself; the others do. With `code` SOURCE_HALTED it is halted for every writer, also after a restart, until `source accept`; the process stays and waits. With any other code this process gives the source up, and ends with 2 or 4 when it was its last one.',
    'SOURCE_HALTED: see `reason`, and [halted sources](#halted-sources). DB_SCHEMA names the table or column: mend it and restart the writer.',
  ],
  'source-resumed': ['An operator has accepted what had halted the source; this writer may lead it again.', NOTHING],
  'column-type-changed': [
    'A delivered column has another type than before: its values may look different in the JSON from now on.',
    'Nothing, when it is meant; see [types](types.md).',
  ],
};

const SENDER: Readonly<Record<SenderEvent['kind'], readonly [string, string]>> = {
  'session-opened': ['The producer is initialised: whatever ran under its id before is fenced.', NOTHING],
  'session-lost': [
    'A fault made the outcome of a transaction unknown; the producer is thrown away, and the markers tell what arrived.',
    'Nothing, when it is rare. KAFKA_FENCED again and again: two processes with one INSTANCE_ID (`relay.instance-ids`).',
  ],
  'lane-taken': ['The lane is delivered from here, from `marker` on; `from` held it before.', NOTHING],
  'lane-released': ['Given back cleanly: to share lanes evenly, or because the process stops.', NOTHING],
  'lane-lost': [
    'Somebody took the lane over, because the lease ran out or an operator paused it.',
    'Nothing, unless it comes often: the process or the database is too slow for LANE_LEASE.',
  ],
  'commit-lost': [
    'Kafka had acknowledged a commit and does not have it: its rows are delivered again.',
    'Look at the brokers: stopped under load (KAFKA-20734), unclean election, or a lost disk. Run `verify`.',
  ],
  'commit-torn': [
    'Kafka ended a transaction in some of its partitions only. `landed` rows are there without their marker and are not sent again; `aside` rows are not there and are sent from the table of rows set aside.',
    'As for `commit-lost`. Rows keep arriving once; upgrade brokers past 4.3.1 (KAFKA-20734).',
  ],
  'lane-halted': [
    'Marker and database do not agree, a refused row has spent its attempts under policy `halt`, or too many keys wait. Nobody delivers the lane.',
    '[Halted lanes](#halted-lanes).',
  ],
  members: ["Senders alive, and this one's share of the lanes.", NOTHING],
  delivered: ['A transaction is committed. At level info there is one line with the sums of the last 10 s.', NOTHING],
  deleted: ['Delivered rows left the outbox.', NOTHING],
  'sender-retry': [
    'Kafka or the database is away or refuses; with `topic`, only that topic is. Rows wait, no attempt is used up.',
    'See `code`: KAFKA_TOPIC_MISSING wants the topic (or `init` for the marker topic), KAFKA_REFUSED an ACL or a password.',
  ],
  'row-aside': [
    'The broker refused this row for good. It is aside, its key waits behind it, everything else goes on.',
    'See `code` and `reason`; raise max.message.bytes or mend what produced the row. It is tried again by itself.',
  ],
  'rows-too-large': [
    'Rows are known to be larger than their topic or broker takes, before anything is sent: `rows` of one topic are set aside. Their keys wait, everything else goes on.',
    '`reason` names the limit and its setting. Raise it (it is asked for again by itself), set OVERSIZE=chunk, or mend what produced the rows.',
  ],
  'rows-still-too-large': [
    'The next attempt of rows set aside came due, and the limit still stands: it counts as failed without being made.',
    'The same.',
  ],
  throttled: [
    'A broker imposes pauses on this client (quotas): `lastMinuteMs` of the last minute. Rows go at the pace that it allows. All zero: no longer.',
    'Raise producer_byte_rate (or request_percentage) of the user or client id: `kafka-configs.sh --alter --entity-type clients`.',
  ],
  'pace-changed': [
    'A transaction timed out or was slow, and the next ones carry at most `rowsMax` rows and `bytesMax` bytes; null: as much as the settings say, again.',
    'Nothing, when it comes with `throttled` or a slow broker that recovers. Otherwise look at the brokers.',
  ],
  'row-retry-failed': ['Refused again; the next attempt is in `delayMs`.', 'The same.'],
  'row-dead': ['The last attempt failed and ROW_FAULT_POLICY applied.', '[Dead letters](#dead-letters).'],
  'row-recovered': ['A row that was aside is in Kafka.', NOTHING],
  'target-blocked': [
    'A topic, or one partition of it (`partition`), takes nothing: missing, not authorised, without a leader, too few in-sync replicas, or its broker does not answer. `isAside`: its rows wait aside (`waiting` of them) for `forMs` so far, and the others go on; false in the first 2 s, in which lanes wait with it. No attempt is used up. It is tried again in `delayMs`.',
    'See `code` and `reason`, and [topics that take nothing](#topics-that-take-nothing).',
  ],
  'id-changed': [
    'A partition that takes nothing (too few in-sync replicas) keeps the last transaction from being ended, and with it the id `from`. The sender goes on as `to`.',
    'Bring the replicas back: until then readers of that partition wait, too.',
  ],
  'target-back': ['It takes rows again, after `blockedMs`; those that waited are sent in their order.', NOTHING],
  'rows-waiting': ['Rows of a blocked topic or partition left their lane, for those behind them to go on.', NOTHING],
  'rows-returned': ['Rows that had waited for their topic or partition were delivered.', NOTHING],
};

type Lines = Readonly<Record<string, readonly [string, string]>>;

const rowsOf = (lines: Lines, help: Lines): readonly string[] =>
  Object.entries(help).map(([kind, [meaning, todo]]) => `| \`${kind}\` | ${lines[kind]?.[0]} | ${meaning} | ${todo} |`);

/** Markdown: event, level, meaning, what to do. */
export function eventsTable(): string {
  const head = ['| `event` | Level | What happened | What to do |', '|---|---|---|---|'];
  const writer = ['**Writer**', '', ...head, ...rowsOf(WRITER_LINES, WRITER)];
  return [...writer, '', '**Sender**', '', ...head, ...rowsOf(SENDER_LINES, SENDER)].join('\n');
}
