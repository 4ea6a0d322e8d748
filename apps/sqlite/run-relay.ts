/**
 * The relay on a file: writer and sender in one process, as `run` on a server, with the file's lock instead of an election and
 * a look at the file system instead of a doorbell. The writer needs no Kafka: rows are moved while it is away.
 */
import { createMemoryDoorbell } from '#doorbell';
import { connectKafka, createKafkaPort, createTopicAdmin } from '#kafka-delivery';
import type { Notification } from '#notification';
import type { SenderEvent, WriterEvent } from '#outbox';
import { asRelayError, backoffMs, type Progress, systemClock, systemRandom } from '#runtime';
import { createSenderStore, forgetDead, watchCommits } from '#sqlite-storage';
import { lanesNeeded } from '../cli/init.ts';
import { runSender } from '../sender/run-sender.ts';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { serve } from '../wiring/serve.ts';
import type { Service } from '../wiring/service.ts';
import { together } from '../wiring/together.ts';
import { kafkaView } from './kafka-view.ts';
import { type OpenOptions, openRelayFile, type RelayFile } from './open-relay-file.ts';
import { runSources } from './run-sources.ts';
import { sqliteOperator } from './sqlite-operator.ts';

export interface RelayHooks extends OpenOptions {
  readonly onEvent?: (event: WriterEvent | SenderEvent) => void;
  readonly onNotification?: ((notification: Notification) => void | Promise<void>) | undefined;
  /** The relay has the file, and works. */
  readonly onOpen?: (opened: OpenRelay) => void;
}

export interface OpenRelay extends RelayFile {
  /** Rows were committed: look now. */
  ring(): void;
}

const RETENTION_EVERY_MS = 60_000;
const RETENTION_ROWS_MAX = 1_000;

/** Runs until the signal aborts. Rejects with a fatal fault only, or when there is no file. */
export async function runRelay(service: Service, hooks: RelayHooks = {}): Promise<void> {
  const { config } = service;
  const opened = await openRelayFile(service, hooks);
  if (opened === null) return;
  try {
    await relayFile({ ...service, config: kafkaView(config, opened.fileId) }, opened, hooks);
  } finally {
    opened.close();
  }
}

async function relayFile(service: Service, opened: RelayFile, hooks: RelayHooks): Promise<void> {
  const { config, logger } = service;
  const { file, fileId } = opened;
  const store = createSenderStore({ file, tables: config.tables });
  const doorbell = createMemoryDoorbell();
  const kafka = createKafkaPort(kafkaOptions(config, logger));
  const operator = await sqliteOperator(file, config);
  const served = await serve(service, operator, { writer: true, sender: true }, hooks.onNotification);
  const onWriterEvent = (event: WriterEvent) => {
    served.onWriterEvent(event);
    hooks.onEvent?.(event);
  };
  const onSenderEvent = (event: SenderEvent) => {
    served.onSenderEvent(event);
    hooks.onEvent?.(event);
  };
  const commits = createCommitBell(file.path);
  hooks.onOpen?.({ ...opened, ring: commits.ring });
  try {
    await together(service, [
      (each) =>
        runSources(each, {
          file,
          fileId,
          doorbell,
          ...served.forWriter,
          onEvent: onWriterEvent,
          onCommit: commits.listen,
        }),
      async (each) => {
        await untilMarkerTopic(each, opened, served.forSender.progress, onSenderEvent);
        if (each.signal.aborted) return;
        await runSender(each, { store, doorbell, kafka, ...served.forSender, onEvent: onSenderEvent });
      },
      (each) => forgetOldDead(each, opened),
    ]);
  } finally {
    commits.close();
    await served.close();
    await kafka.close();
    await doorbell.close();
  }
}

/** Wakes the writers of all sources when the file was written to, or when somebody says that it was. */
function createCommitBell(path: string) {
  const wakes = new Set<() => void>();
  const ring = () => {
    for (const wake of wakes) wake();
  };
  const close = watchCommits(path, ring);
  const listen = (wake: () => void) => {
    wakes.add(wake);
    return () => void wakes.delete(wake);
  };
  return { ring, listen, close };
}

/** The marker topic is made when it is missing; while Kafka is away this waits, as the sender would. */
async function untilMarkerTopic(
  { config, logger, signal }: Service,
  { file }: RelayFile,
  progress: Progress,
  onEvent: (event: SenderEvent) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const lanes = await createSenderStore({ file, tables: config.tables }).listLanes();
      const admin = createTopicAdmin(connectKafka(kafkaOptions(config, logger)));
      try {
        const outcome = await admin.createMarkerTopic(lanesNeeded(config, lanes));
        if (outcome !== 'there') logger.info({ topic: config.kafka.markerTopic }, `marker topic ${outcome}`);
        return;
      } finally {
        await admin.close();
      }
    } catch (thrown) {
      const error = asRelayError(thrown);
      const { code, message } = error;
      if (error.verdict !== 'retry') throw thrown;
      const attempt = progress.failed(error, systemClock.nowMs());
      const delayMs = backoffMs(attempt, config.sender.retryBackoff, systemRandom);
      logger.warn({ code, reason: message, delayMs }, 'waiting for Kafka');
      onEvent({ kind: 'sender-retry', code, message, attempt, delayMs });
      await systemClock.sleep(delayMs, signal);
    }
  }
}

/** On a server the background jobs do it. */
async function forgetOldDead({ config, logger, signal }: Service, { file }: RelayFile): Promise<void> {
  const { deadLetterRetentionMs } = config.sender;
  if (deadLetterRetentionMs === null) return;
  while (!signal.aborted) {
    try {
      await forgetDead({ file, tables: config.tables }, deadLetterRetentionMs, RETENTION_ROWS_MAX);
    } catch (thrown) {
      if (asRelayError(thrown).verdict !== 'retry') throw thrown;
      logger.debug({ err: thrown }, 'dead letters were not looked through');
    }
    await systemClock.sleep(RETENTION_EVERY_MS, signal);
  }
}
