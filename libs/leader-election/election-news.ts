/** Says by what an election goes on, once for each change. */
import type { WriterEvent } from '#outbox';
import type { Clock } from '#runtime';

/** What a leader's lead rests on; `epoch`: on the fence in the database alone. */
export type Means = 'redis' | 'database' | 'epoch';

export type ElectionEvent = Extract<WriterEvent, { kind: `election-${string}` }>;

/** Another cause of the same state is said no more often than this. */
const SAY_AGAIN_MS = 10_000;

interface Said {
  readonly what: string;
  readonly atMs: number;
}

export class ElectionNews {
  readonly #clock: Clock;
  readonly #tell: (event: ElectionEvent) => void;
  readonly #said = new Map<string, Said>();
  readonly #states = new Map<string, ElectionEvent['kind']>();

  constructor(clock: Clock, tell: (event: ElectionEvent) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  waits(source: string, cause: string, fallbackInMs: number, database: string | null): void {
    this.#say({ kind: 'election-waits', source, cause, fallbackInMs: Math.ceil(fallbackInMs), database });
  }

  leadsBy(source: string, means: Means, cause: string): void {
    if (means === 'redis') this.answered(source);
    else this.#say({ kind: 'election-fallback', source, cause, by: means });
  }

  answered(source: string): void {
    if (!this.#states.delete(source)) return;
    this.#said.delete(source);
    this.#tell({ kind: 'election-restored', source });
  }

  #say(event: Exclude<ElectionEvent, { kind: 'election-restored' }>): void {
    const { source, kind, cause } = event;
    const what = `${cause} ${kind === 'election-waits' ? event.database : event.by}`;
    const said = this.#said.get(source);
    const isNew = this.#states.get(source) !== kind;
    const nowMs = this.#clock.nowMs();
    if (!isNew && (said?.what === what || nowMs - (said?.atMs ?? 0) < SAY_AGAIN_MS)) return;
    this.#states.set(source, kind);
    this.#said.set(source, { what, atMs: nowMs });
    this.#tell(event);
  }
}
