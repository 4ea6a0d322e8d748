/** One batch of one source: moved under a term of this process, then waited for until Kafka has it for good. */
import type { SourceConfig } from '#config';
import {
  type KafkaPort,
  laneOf,
  openTerm,
  type SourceReader,
  type WriterStore,
  type WriterTerm,
  withReader,
} from '#outbox';
import { createWriterStore } from '#outbox-storage';
import { type Clock, RelayError } from '#runtime';
import type { Service } from '../wiring/service.ts';
import { sourceOptions, type WriterParts } from '../writer/source-options.ts';

export interface KnownSource {
  nextSequence: number;
  /** When gaps were last settled. */
  settledMs?: number;
}

export interface PublishOnceOptions {
  readonly service: Service;
  readonly parts: WriterParts;
  readonly kafka: KafkaPort;
  readonly clock: Clock;
  readonly deliveryDeadlineMs: number;
  /** What this process knows of the source from its terms before. */
  readonly known: KnownSource;
}

const LOOK_MS = 20;
/** A gap closes on evidence that takes a while, and a term of one step has no time for it: now and then a batch takes it. */
const GAPS_SETTLED_FROM = 50;
const SETTLE_MS_MAX = 3_000;
const SETTLE_EVERY_MS = 60_000;

/**
 * Resolves to the rows published, 0 also when another process leads the source. Rejects with DEADLINE_EXCEEDED when Kafka does
 * not have them in time: they are in the lanes then, and will be delivered.
 */
export async function publishOnce(options: PublishOnceOptions, source: SourceConfig, limit: number): Promise<number> {
  const { service, parts, known } = options;
  const lock = await parts.election.tryAcquire(source.name);
  if (lock === null) return 0;
  try {
    const moved = new Map<number, number>();
    const store = noting(createWriterStore({ pool: parts.pool, tables: service.config.tables }), (id) => {
      moved.set(laneOf(id), Math.max(id, moved.get(laneOf(id)) ?? 0));
    });
    const usual = sourceOptions(service, parts, store, source);
    const seen = { rows: 0, gaps: 0, settling: false };
    const term = await openTerm(
      {
        ...usual,
        limits: { ...usual.limits, rowsMax: limit },
        openReader: async (delivered) => withoutFresh(await usual.openReader(delivered), () => seen.settling),
        onEvent: (event) => {
          if (event.kind === 'term-begun') seen.gaps = event.gaps;
          if (event.kind === 'moved') seen.rows += event.rows;
          parts.onEvent(event);
        },
      },
      known,
    );
    await term.step();
    // Before anybody waits: senders deliver while gaps are settled.
    if (moved.size > 0) parts.doorbell.ring({ kind: 'rows', lanes: [...moved.keys()] });
    const sinceMs = options.clock.nowMs() - (known.settledMs ?? Number.NEGATIVE_INFINITY);
    if (seen.gaps >= GAPS_SETTLED_FROM && sinceMs >= SETTLE_EVERY_MS) {
      seen.settling = true;
      await settleGaps(options, term);
    }
    if (moved.size === 0) return 0;
    parts.doorbell.ring({ kind: 'rows', lanes: [...moved.keys()] });
    await waitForMarkers(options, moved);
    return seen.rows;
  } finally {
    await lock.release();
  }
}

/** Steps on while gaps are open; rows that turn up in gaps are moved, new ones are left to the next batch. */
async function settleGaps({ clock, service, known }: PublishOnceOptions, term: WriterTerm): Promise<void> {
  const untilMs = clock.nowMs() + SETTLE_MS_MAX;
  for (let dueMs = term.gapsDueInMs; dueMs !== null && !service.signal.aborted; dueMs = term.gapsDueInMs) {
    if (clock.nowMs() + dueMs > untilMs) break;
    await clock.sleep(dueMs, service.signal);
    if ((await term.step()).kind === 'fenced') return;
  }
  known.settledMs = clock.nowMs();
}

const NOTHING = { rows: [], full: false };

const withoutFresh = (reader: SourceReader, isSettling: () => boolean): SourceReader =>
  withReader(reader, {
    readAfter: async (after, limits) => (isSettling() ? NOTHING : reader.readAfter(after, limits)),
  });

/** The ids of rows as they are committed. */
function noting(store: WriterStore, note: (id: number) => void): WriterStore {
  return {
    ...store,
    append: async (request, onUnderWay) => {
      const outcome = await store.append(request, onUnderWay);
      if (outcome === 'committed') for (const { id } of request.messages) note(id);
      return outcome;
    },
  };
}

async function waitForMarkers(options: PublishOnceOptions, moved: ReadonlyMap<number, number>): Promise<void> {
  const { kafka, clock, service } = options;
  const lanes = [...moved.keys()];
  const untilMs = clock.nowMs() + options.deliveryDeadlineMs;
  while (!service.signal.aborted) {
    const markers = await kafka.settledMarkers('lane', lanes);
    if (markers === null || lanes.every((lane) => (markers.get(lane) ?? -1) >= (moved.get(lane) as number))) return;
    if (clock.nowMs() >= untilMs) {
      throw new RelayError(
        'DEADLINE_EXCEEDED',
        'Kafka does not have the batch yet; it is in the lanes and will be delivered',
      );
    }
    await clock.sleep(LOOK_MS, service.signal);
  }
  throw new RelayError('STOPPED', 'the publisher was stopped; the batch is in the lanes and will be delivered');
}
