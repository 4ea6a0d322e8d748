/** The writer's part of a relay on a file: one `runSource` for each source; a halted one leaves the others running. */
import type { SourceConfig } from '#config';
import { type Doorbell, type LeaderElection, runSource, type WriterEvent, type WriterStore } from '#outbox';
import { asRelayError, type Progress, type RelayError, systemClock, systemRandom } from '#runtime';
import { ConsumeQueue, createSourceReader, createWriterStore, type SqliteFile } from '#sqlite-storage';
import { logWriterEvents } from '../wiring/log-events.ts';
import type { Service } from '../wiring/service.ts';
import { lookAtMarkers } from '../writer/look-at-markers.ts';
import { refuseReusedIds } from './reused-ids.ts';
import { type WakeableClock, wakeable } from './wakeable-clock.ts';

const ELECTION_INTERVAL_MS = 500;

export interface SourcesParts {
  readonly file: SqliteFile;
  readonly fileId: string;
  readonly doorbell: Doorbell;
  readonly onEvent: (event: WriterEvent) => void;
  readonly progressOf: (source: string) => Progress;
  /** Calls back whenever something was committed. Returns what ends it. */
  readonly onCommit: (wake: () => void) => () => void;
}

/** Whoever holds the file's lock is elected; the epoch is the fence, as everywhere. */
const HOLDS_THE_FILE: LeaderElection = {
  tryAcquire: async () => ({ signal: new AbortController().signal, release: async () => undefined }),
  close: async () => undefined,
};

/** Runs until the signal aborts, or until the last source has halted: then it rejects with that fault. */
export async function runSources(service: Service, parts: SourcesParts): Promise<void> {
  const { config, signal } = service;
  const { file, fileId } = parts;
  const queues = new Map(
    config.sources
      .filter(({ mode }) => mode === 'consume')
      .map((source) => [source.name, new ConsumeQueue({ file, source, fileId })]),
  );
  const takeMoved = new Map([...queues].map(([name, queue]) => [name, queue.takeMoved]));
  const store = createWriterStore({ file, tables: config.tables, takeMoved });
  const faults: RelayError[] = [];
  await Promise.all(
    config.sources.map((source) =>
      relaySource(service, parts, store, source, queues.get(source.name) ?? null).catch((thrown: unknown) => {
        faults.push(asRelayError(thrown));
      }),
    ),
  );
  const [fault] = faults;
  if (fault !== undefined && !signal.aborted) throw fault;
}

async function relaySource(
  service: Service,
  parts: SourcesParts,
  store: WriterStore,
  source: SourceConfig,
  queue: ConsumeQueue | null,
): Promise<void> {
  const { config, signal, instanceId } = service;
  const { file } = parts;
  const clock = wakeable(systemClock);
  const ignore = parts.onCommit(() => clock.wake());
  const log = logWriterEvents(service.logger);
  try {
    await runSource(
      {
        source: source.name,
        writerId: instanceId,
        lanes: source.lanes,
        // What is consumed has left the table: there is nothing that a start could skip.
        startFrom: queue === null ? source.startFrom : 'earliest',
        store,
        openReader: async (delivered) => {
          if (queue !== null) return queue.openReader(delivered);
          return refuseReusedIds(await createSourceReader({ file, source, delivered }), source);
        },
        ...(config.deliveryMode === 'exactly-once'
          ? { readMarkers: (lanes: readonly number[]) => lookAtMarkers(service, source.name, lanes) }
          : {}),
        election: HOLDS_THE_FILE,
        doorbell: parts.doorbell,
        clock,
        random: systemRandom,
        limits: { rowsMax: config.writer.batchRowsMax, bytesMax: config.writer.batchBytesMax },
        pollIntervalMs: config.writer.pollIntervalMs,
        gapGraceMs: () => 0,
        backoff: config.sender.retryBackoff,
        electionIntervalMs: ELECTION_INTERVAL_MS,
        mayLead: () => true,
        shouldHandOver: () => false,
        progress: parts.progressOf(source.name),
        onEvent: (event) => {
          beDeafInBackoff(clock, event);
          log(event);
          parts.onEvent(event);
        },
      },
      signal,
    );
  } finally {
    ignore();
  }
}

/** The pause after a fault is told by its event, and over with the next election; a halted source is not looked at sooner either. */
function beDeafInBackoff(clock: WakeableClock, { kind }: WriterEvent): void {
  if (kind === 'writer-retry' || kind === 'source-halted') clock.deaf = true;
  if (kind === 'elected') clock.deaf = false;
}
