/**
 * A load on a source table: connections side by side, with rollbacks, late commits and bulk inserts, so that ids become
 * visible out of order. The ledger it leaves says exactly what was committed.
 */
import { seededRandom } from '../seeded-random.ts';
import { Ledger } from './ledger.ts';
import { LoadConnection, type LoadProgress, type LoadSupply, type LoadTarget } from './load-connection.ts';
import { type LoadMix, USUAL_MIX } from './plan-transaction.ts';

export interface LoadOptions {
  readonly target: LoadTarget;
  /** One for each connection. A key may come from one of them only. */
  readonly supplies: readonly LoadSupply[];
  readonly seed: number;
  readonly mix?: Partial<LoadMix>;
  /** Of all connections together; as fast as the database answers unless given. */
  readonly rowsPerSecond?: number;
}

export interface Load {
  readonly progress: Readonly<LoadProgress>;
  readonly ledger: Ledger;
  /** All supplies are empty, or the load was stopped, and no transaction is open. Rejects with the first fault. */
  readonly done: Promise<Ledger>;
  /** Finishes the transactions under way and resolves with the ledger. */
  stop(): Promise<Ledger>;
}

/** What a connection's random sequence is apart from its neighbour's. */
const SEED_STEP = 7_919;

export function startLoad(options: LoadOptions): Load {
  const stopping = new AbortController();
  const ledger = new Ledger();
  const progress: LoadProgress = {
    committedRows: 0,
    rolledBackRows: 0,
    commits: 0,
    rollbacks: 0,
    bulkInserts: 0,
    pauses: 0,
    lockErrors: 0,
    reconnects: 0,
    slowestStatementMs: 0,
  };
  const { rowsPerSecond, supplies } = options;
  const runs = supplies.map((supply, index) =>
    new LoadConnection({
      target: options.target,
      supply,
      mix: { ...USUAL_MIX, ...options.mix },
      random: seededRandom(options.seed + index * SEED_STEP),
      rowsPerSecond: rowsPerSecond === undefined ? null : rowsPerSecond / supplies.length,
      ledger,
      progress,
      signal: stopping.signal,
    })
      .run()
      .catch((error: unknown) => {
        stopping.abort();
        throw error;
      }),
  );
  const done = Promise.allSettled(runs).then((outcomes) => {
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return ledger;
  });
  // Seen where it is awaited; a load nobody has come to await yet must not end the process.
  done.catch(() => undefined);
  return {
    progress,
    ledger,
    done,
    stop: () => {
      stopping.abort();
      return done;
    },
  };
}
