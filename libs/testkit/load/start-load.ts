/**
 * A load on a source table: connections side by side, with rollbacks, late commits and bulk inserts, so that ids become
 * visible out of order. The ledger it leaves says exactly what was committed.
 */
import { seededRandom } from '../seeded-random.ts';
import { holdHotRows } from './hot-rows.ts';
import { Ledger } from './ledger.ts';
import { LoadConnection, type LoadProgress } from './load-connection.ts';
import { LoadHistory } from './load-history.ts';
import type { LoadSupply, LoadTarget } from './load-supply.ts';
import { type LoadMix, USUAL_MIX } from './plan-transaction.ts';
import type { HistoryTransaction } from './write-history.ts';

export interface LoadOptions {
  readonly target: LoadTarget;
  /** One for each connection. A key may come from one of them only. */
  readonly supplies: readonly LoadSupply[];
  readonly seed: number;
  readonly mix?: Partial<LoadMix>;
  /** Of all connections together; as fast as the database answers unless given. */
  readonly rowsPerSecond?: number;
  /** Gets each transaction once its outcome is known. */
  readonly write?: (transaction: HistoryTransaction) => void;
}

export interface Load {
  readonly progress: Readonly<LoadProgress>;
  readonly ledger: Ledger;
  /** For transactions of others on the same table. */
  readonly history: LoadHistory;
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
    hotStatements: 0,
    undoneInserts: 0,
    lockErrors: 0,
    reconnects: 0,
    slowestStatementMs: 0,
  };
  const history = new LoadHistory(options.write ?? null);
  const { rowsPerSecond, supplies, target } = options;
  const mix = { ...USUAL_MIX, ...options.mix };
  const runs = supplies.map((supply, index) =>
    new LoadConnection({
      ...{ number: index + 1, target, supply, mix, history },
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
  const holding = new AbortController();
  const holder =
    mix.hotShare > 0 ? holdHotRows(target, seededRandom(options.seed - SEED_STEP), holding.signal) : Promise.resolve();
  // Seen where it is awaited.
  holder.catch(() => undefined);
  const done = Promise.allSettled(runs).then(async (outcomes) => {
    holding.abort();
    await holder;
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return ledger;
  });
  // Seen where it is awaited; a load nobody has come to await yet must not end the process.
  done.catch(() => undefined);
  return {
    progress,
    ledger,
    history,
    done,
    stop: () => {
      stopping.abort();
      return done;
    },
  };
}
