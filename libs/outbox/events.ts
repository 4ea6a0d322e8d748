/** What the core reports while it works: apps turn events into log lines and metrics, tests into traces. No payloads. */
import type { ErrorCode, StallCause } from '#runtime';

export type WriterEvent =
  /** Somebody else leads, or nobody can be asked; told once until this process leads again. */
  | { readonly kind: 'standing-by'; readonly source: string }
  | { readonly kind: 'elected'; readonly source: string }
  /** A standby gets no usable answer from Redis; `database`: why the database's lock cannot be had either, or null. */
  | {
      readonly kind: 'election-waits';
      readonly source: string;
      readonly cause: string;
      readonly fallbackInMs: number;
      readonly database: string | null;
    }
  /** This process leads while Redis gives no usable answer: by the database's lock, or by the epoch alone. */
  | {
      readonly kind: 'election-fallback';
      readonly source: string;
      readonly cause: string;
      readonly by: 'database' | 'epoch';
    }
  /** Redis says again who leads. */
  | { readonly kind: 'election-restored'; readonly source: string }
  | {
      readonly kind: 'term-begun';
      readonly source: string;
      readonly epoch: number;
      readonly position: bigint;
      readonly gaps: number;
    }
  /** The setting LANES is not what the source has: the lanes in the database count, the setting was for its registration. */
  | {
      readonly kind: 'lanes-differ';
      readonly source: string;
      readonly lanes: number;
      readonly setting: number;
    }
  | {
      readonly kind: 'term-ended';
      readonly source: string;
      readonly why: 'stopped' | 'lock-lost' | 'fenced' | 'fault' | 'handed-over';
    }
  | {
      readonly kind: 'moved';
      readonly source: string;
      readonly rows: number;
      readonly late: number;
      readonly bytes: number;
      readonly appendMs: number;
      readonly position: bigint;
      readonly nextSequence: number;
      readonly gaps: number;
    }
  | {
      readonly kind: 'gaps-opened';
      readonly source: string;
      /** Positions. */
      readonly missing: bigint;
      readonly last: bigint;
    }
  | {
      /** Without a row: rolled back, or never used. */
      readonly kind: 'gaps-closed';
      readonly source: string;
      readonly ranges: number;
      readonly missing: bigint;
    }
  | {
      /** At most once a second while gaps are open, and once, all zero, when none is left. */
      readonly kind: 'gaps-held';
      readonly source: string;
      readonly ranges: number;
      readonly missing: bigint;
      readonly oldestMs: number;
      /** How long the server has given no fresh list of its transactions; 0: the last one was fresh. */
      readonly staleMs: number;
      /** Transactions that keep gaps open; the oldest of them is told by its connection and start, as the server writes them. */
      readonly holders: number;
      readonly connection: string | null;
      readonly since: string | null;
    }
  | {
      /** Mode `consume`: rows were found below the position, outside of every gap; reading begins there again. */
      readonly kind: 'went-back';
      readonly source: string;
      readonly from: bigint;
      readonly to: bigint;
    }
  | {
      readonly kind: 'gaps-at-bound';
      readonly source: string;
      readonly gaps: number;
    }
  | {
      readonly kind: 'commit-unknown';
      readonly source: string;
      readonly found: 'committed' | 'not-committed' | 'fenced';
    }
  | {
      readonly kind: 'writer-retry';
      readonly source: string;
      readonly code: ErrorCode;
      readonly message: string;
      readonly attempt: number;
      readonly delayMs: number;
    }
  | {
      /** SOURCE_HALTED: for every writer, until an operator accepts what happened. Any other code: for this process. */
      readonly kind: 'source-halted';
      readonly source: string;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** An operator has accepted what had halted the source. */
  | { readonly kind: 'source-resumed'; readonly source: string }
  | {
      /** Values of the column may look different from now on. */
      readonly kind: 'column-type-changed';
      readonly source: string;
      readonly column: string;
      readonly from: string;
      readonly to: string;
    };

export type SenderEvent =
  | {
      readonly kind: 'session-opened';
      readonly transactionalId: string;
      readonly lanes: readonly number[];
    }
  | {
      readonly kind: 'session-lost';
      readonly code: ErrorCode;
      readonly message: string;
    }
  | {
      readonly kind: 'lane-taken';
      readonly lane: number;
      readonly from: string | null;
      readonly fenced: readonly string[];
      readonly marker: number;
    }
  | {
      readonly kind: 'lane-released';
      readonly lane: number;
      readonly marker: number;
    }
  | { readonly kind: 'lane-lost'; readonly lane: number }
  | {
      /** Kafka acknowledged the commit of a transaction and does not have it. */
      readonly kind: 'commit-lost';
      readonly lane: number;
      readonly committed: number;
      readonly found: number;
    }
  | {
      /**
       * Kafka tore a transaction apart: readers see a part of its rows and not the rest. `landed`: rows that are there without
       * their marker, and are not sent again; `aside`: rows that are not there, and are sent from the table of rows set aside.
       */
      readonly kind: 'commit-torn';
      readonly lane: number;
      readonly landed: number;
      readonly aside: number;
    }
  | {
      readonly kind: 'lane-halted';
      readonly lane: number;
      readonly why: string;
    }
  | {
      readonly kind: 'members';
      readonly live: number;
      readonly share: number;
      readonly held: number;
    }
  | {
      readonly kind: 'delivered';
      readonly rows: number;
      readonly bytes: number;
      readonly lanes: readonly number[];
      readonly transactionMs: number;
    }
  | { readonly kind: 'deleted'; readonly lane: number; readonly upTo: number }
  | {
      readonly kind: 'sender-retry';
      readonly code: ErrorCode;
      readonly message: string;
      readonly attempt: number;
      readonly delayMs: number;
    }
  | {
      readonly kind: 'row-aside';
      readonly lane: number;
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly delayMs: number;
    }
  | {
      /** Known to be too large before they are sent: set aside, or still too large as their next attempt came due. */
      readonly kind: 'rows-too-large' | 'rows-still-too-large';
      readonly lane: number;
      readonly topic: string;
      readonly rows: number;
      /** The first of them. */
      readonly id: number;
      /** Which limit, and the setting behind it. */
      readonly message: string;
      readonly attempts: number;
      readonly delayMs: number;
    }
  | {
      /** Brokers impose pauses on us (quotas); told every 10 s while they do, and once, all zero, when they do no longer. */
      readonly kind: 'throttled';
      /** `host:port` of the one that imposes most. */
      readonly broker: string;
      readonly waitMs: number;
      readonly lastMinuteMs: number;
    }
  | {
      /** Transactions carry less from now on, since one timed out or was slow; null: as much as the settings say, again. */
      readonly kind: 'pace-changed';
      readonly rowsMax: number | null;
      readonly bytesMax: number | null;
    }
  | {
      readonly kind: 'row-retry-failed';
      readonly lane: number;
      readonly id: number;
      readonly code: ErrorCode;
      readonly attempts: number;
      readonly delayMs: number;
    }
  | {
      readonly kind: 'row-dead';
      readonly lane: number;
      readonly id: number;
      readonly attempts: number;
      readonly policy: string;
    }
  | {
      readonly kind: 'row-recovered';
      readonly lane: number;
      readonly id: number;
    }
  | {
      /**
       * A topic, or a partition of it, takes nothing: told with each fault of it. Rows of others go on; `isAside` false: only for a
       * moment so far, and lanes with a row of it wait. `waiting`: its rows aside in the lanes held.
       */
      readonly kind: 'target-blocked';
      readonly topic: string;
      readonly partition: number | null;
      readonly code: ErrorCode;
      readonly cause: StallCause;
      readonly message: string;
      readonly isAside: boolean;
      readonly waiting: number;
      readonly forMs: number;
      readonly attempt: number;
      readonly delayMs: number;
    }
  /** The sender goes on under another transactional id: the last transaction of the old one waits for a partition to be ended. */
  | { readonly kind: 'id-changed'; readonly from: string; readonly to: string }
  /** It takes rows again. */
  | {
      readonly kind: 'target-back';
      readonly topic: string;
      readonly partition: number | null;
      readonly blockedMs: number;
    }
  /** Rows left their lane to wait for their target. `waitsFor`: its name (`targetName`). */
  | { readonly kind: 'rows-waiting'; readonly lane: number; readonly waitsFor: string; readonly rows: number }
  /** Rows that waited for their target were delivered. */
  | { readonly kind: 'rows-returned'; readonly lane: number; readonly waitsFor: string; readonly rows: number };
