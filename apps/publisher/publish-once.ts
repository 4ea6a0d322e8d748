/** One batch of one source: moved under a term of this process, then waited for until Kafka has it for good. */
import type { SourceConfig } from '#config';
import { type KafkaPort, laneOf, openTerm, type WriterStore } from '#outbox';
import { createWriterStore } from '#outbox-storage';
import { type Clock, RelayError } from '#runtime';
import type { Service } from '../wiring/service.ts';
import { sourceOptions, type WriterParts } from '../writer/source-options.ts';

export interface PublishOnceOptions {
  readonly service: Service;
  readonly parts: WriterParts;
  readonly kafka: KafkaPort;
  readonly clock: Clock;
  readonly deliveryDeadlineMs: number;
  /** What this process knows of the source from its terms before. */
  readonly known: { nextSequence: number };
}

const LOOK_MS = 20;

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
    let rows = 0;
    const term = await openTerm(
      {
        ...usual,
        limits: { ...usual.limits, rowsMax: limit },
        onEvent: (event) => {
          if (event.kind === 'moved') rows += event.rows;
          parts.onEvent(event);
        },
      },
      known,
    );
    const outcome = await term.step();
    if (outcome.kind !== 'moved' || rows === 0) return 0;
    parts.doorbell.ring({ kind: 'rows', lanes: outcome.lanes });
    await waitForMarkers(options, moved);
    return rows;
  } finally {
    await lock.release();
  }
}

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
