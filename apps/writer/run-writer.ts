/** A writer process: one `runSource` for each configured source, elected on its own; a halted source leaves the others running. */
import type { SourceConfig } from '#config';
import { runSource, type WriterEvent, type WriterStore } from '#outbox';
import { createSenderStore, createWriterStore } from '#outbox-storage';
import { asRelayError, type RelayError, systemClock } from '#runtime';
import { logWriterEvents, summariseGaps } from '../wiring/log-events.ts';
import { SUMMARY_INTERVAL_MS } from '../wiring/pace.ts';
import type { Service } from '../wiring/service.ts';
import { keepArchives } from './keep-archives.ts';
import { SourceShares } from './share-sources.ts';
import { sourceOptions, type WriterParts } from './source-options.ts';

/** Runs until the signal aborts, or until the last source has halted: then it rejects with that fault. */
export async function runWriter(service: Service, parts: WriterParts): Promise<void> {
  const { config, logger, signal, instanceId } = service;
  const { pool } = parts;
  const store = createWriterStore({ pool, tables: config.tables });
  const shares = new SourceShares({
    store: createSenderStore({ pool, tables: config.tables }),
    clock: systemClock,
    logger,
    writerId: instanceId,
    sources: config.sources.length,
  });
  const log = logWriterEvents(logger);
  const gaps = summariseGaps(logger, systemClock);
  const onEvent = (event: WriterEvent) => {
    if (event.kind === 'elected') shares.began(event.source);
    if (event.kind === 'term-ended') shares.ended(event.source);
    log(event);
    gaps.note(event);
    parts.onEvent(event);
  };
  const ended = new AbortController();
  const faults: RelayError[] = [];
  const together = AbortSignal.any([signal, ended.signal]);
  // A heartbeat that cannot be given at all ends the process, and nobody waits for it before the sources have ended.
  const members = shares.run(together).catch((thrown: unknown) => {
    faults.unshift(asRelayError(thrown));
    ended.abort();
  });
  const leads = (source: string) => shares.leading.has(source);
  const archives = keepArchives({ config, pool, clock: systemClock, logger, leads }, together);
  const summaryTimer = setInterval(() => gaps.flush(), SUMMARY_INTERVAL_MS);
  await Promise.all(
    config.sources.map((source) =>
      relaySource({ ...service, signal: together }, parts, store, shares, source, onEvent).catch((thrown: unknown) => {
        faults.push(asRelayError(thrown));
      }),
    ),
  );
  clearInterval(summaryTimer);
  gaps.flush();
  ended.abort();
  await Promise.all([members, archives]);
  const [fault] = faults;
  if (fault !== undefined && !signal.aborted) throw fault;
}

async function relaySource(
  service: Service,
  parts: WriterParts,
  store: WriterStore,
  shares: SourceShares,
  source: SourceConfig,
  onEvent: (event: WriterEvent) => void,
): Promise<void> {
  const usual = sourceOptions(service, { ...parts, onEvent }, store, source);
  await runSource({ ...usual, shouldHandOver: () => shares.shouldHandOver() }, service.signal);
}
