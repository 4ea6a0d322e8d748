/** What a process shows while it runs: events of the core as metrics and health, served when HTTP_PORT is set, and told to people. */
import { createNotifier, type Notifier, type NotifierOptions } from '#notification';
import {
  createMetrics,
  createProgressHealth,
  type Metrics,
  type ProgressHealth,
  type RunningHttpServer,
  startHttpServer,
} from '#observability';
import type { Sender, SenderEvent, WriterEvent } from '#outbox';
import { explainStall, type Progress, type Stall, systemClock } from '#runtime';
import { createElectionNotes, type ElectionNotes } from './election-notes.ts';
import { createHaltedLanes, type HaltedLanes } from './halted-lanes.ts';
import { createHeldGaps, type HeldGaps } from './held-gaps.ts';
import type { Operator } from './operator.ts';
import { type Service, senderIdOf } from './service.ts';
import { showLook } from './show-look.ts';
import { StallMonitor } from './stall-monitor.ts';
import { watchStalls } from './watch-stalls.ts';

/** Rows of a lane that are counted where no gauge shows them. */
const COUNT_MAX_UNSERVED = 1_000;

export interface Served {
  readonly onWriterEvent: (event: WriterEvent) => void;
  readonly onSenderEvent: (event: SenderEvent) => void;
  /** What the writer takes, for events and progress. */
  readonly forWriter: {
    readonly onEvent: (event: WriterEvent) => void;
    readonly progressOf: (name: string) => Progress;
  };
  /** What the sender takes besides its events. */
  readonly forSender: { readonly progress: Progress; readonly onSender: (sender: Sender) => void };
  close(): Promise<void>;
}

export interface ServeRoles {
  readonly writer: boolean;
  readonly sender: boolean;
}

/** `onNotification` is told what the webhook of the settings is told. */
export async function serve(
  service: Service,
  operator: Operator,
  roles: ServeRoles,
  onNotification?: NotifierOptions['callback'],
): Promise<Served> {
  const { config, logger, instanceId: instance } = service;
  const { webhookUrl, afterRetries: afterAttempts } = config.notify;
  const notifier = createNotifier({ instance, afterAttempts, callback: onNotification, webhookUrl, logger });
  const metrics = createMetrics(roles);
  const { stallMs } = config;
  const health = createProgressHealth({ clock: systemClock, stallMs });
  const parts: Parts = {
    notifier,
    metrics,
    health,
    haltedLanes: createHaltedLanes(health),
    heldGaps: createHeldGaps(),
    elections: createElectionNotes(),
    monitor: new StallMonitor({ roles, writerId: instance, senderId: senderIdOf(service), stallMs }),
    waitsFor: new Set<string>(roles.sender ? ['Kafka'] : []),
    sender: null,
  };
  const stop = watch(service, operator, roles, parts);
  try {
    const server = await listen(service, parts);
    return {
      ...listeners(parts),
      close: async () => {
        await stop();
        await server?.close();
        await notifier.close();
      },
    };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

interface Parts {
  readonly notifier: Notifier;
  readonly metrics: Metrics;
  readonly health: ProgressHealth;
  readonly haltedLanes: HaltedLanes;
  readonly heldGaps: HeldGaps;
  readonly elections: ElectionNotes;
  readonly monitor: StallMonitor;
  readonly waitsFor: Set<string>;
  sender: Sender | null;
}

function listeners(parts: Parts): Omit<Served, 'close'> {
  const { notifier, metrics, health, haltedLanes, heldGaps, elections, monitor, waitsFor } = parts;
  const onWriterEvent = (event: WriterEvent) => {
    notifier.onWriterEvent(event);
    heldGaps.note(event);
    elections.note(event);
    monitor.onWriterEvent(event, systemClock.nowMs());
    showWriterEvent(metrics, health, event);
  };
  const onSenderEvent = (event: SenderEvent) => {
    notifier.onSenderEvent(event);
    monitor.onSenderEvent(event, systemClock.nowMs());
    if (event.kind === 'session-opened') waitsFor.delete('Kafka');
    if (event.kind === 'session-lost') waitsFor.add('Kafka');
    showSenderEvent(metrics, haltedLanes, event);
    if (parts.sender !== null) metrics.sender.lanesHeld(parts.sender.lanes.length);
  };
  const onSender = (sender: Sender) => {
    parts.sender = sender;
  };
  const progressOf = (name: string) => monitor.watchSource(name, systemClock.nowMs());
  return {
    onWriterEvent,
    onSenderEvent,
    forWriter: { onEvent: onWriterEvent, progressOf },
    forSender: { progress: monitor.sender, onSender },
  };
}

/** Returns what ends it. */
function watch(service: Service, operator: Operator, roles: ServeRoles, parts: Parts): () => Promise<void> {
  const { config, logger, instanceId } = service;
  const { metrics, haltedLanes, monitor, notifier } = parts;
  const ended = new AbortController();
  const watching = watchStalls(
    {
      monitor,
      operator: { ...operator, listLanes: () => haltedLanes.look(() => operator.listLanes()) },
      memberIds: [roles.sender ? senderIdOf(service) : instanceId],
      roles,
      stallMs: config.stallMs,
      clock: systemClock,
      logger,
      metrics,
      notifier,
      ...(config.http.port === null ? { countMax: COUNT_MAX_UNSERVED } : {}),
      onLook: (look) => showLook(metrics, look),
    },
    ended.signal,
  );
  return async () => {
    ended.abort();
    await watching;
  };
}

/** Null where HTTP_PORT is not set. */
async function listen({ config, logger }: Service, parts: Parts): Promise<RunningHttpServer | null> {
  const { host, port } = config.http;
  if (port === null) return null;
  const { health, heldGaps, elections, monitor, metrics, waitsFor } = parts;
  const server = await startHttpServer({
    host,
    port,
    metrics,
    logger,
    health: () => {
      const stalls = monitor.stalls(systemClock.nowMs()).map((stall) => ({ ...stall, text: explainStall(stall) }));
      const stuck = health.health().reasons;
      const isSaid = ({ part }: Stall) => stuck.some((reason) => reason.startsWith(`${part}:`));
      const whole = stalls.filter((stall) => monitor.isWhole(stall) && !isSaid(stall)).map(({ text }) => text);
      const reasons = [...stuck, ...whole];
      return { healthy: reasons.length === 0, reasons, notes: [...heldGaps.lines(), ...elections.lines()], stalls };
    },
    ready: () => ({
      ready: waitsFor.size === 0,
      reasons: [...waitsFor].map((name) => `waits for ${name}`),
    }),
  });
  logger.info({ host: server.host, port: server.port }, 'serving health and metrics');
  return server;
}

function showWriterEvent({ writer }: Metrics, health: ProgressHealth, event: WriterEvent): void {
  const subject = `source ${event.source}`;
  switch (event.kind) {
    case 'standing-by':
      // What was in its way is now the leader's, or was nothing but the election.
      health.idle(subject);
      break;
    case 'term-begun':
      writer.leader(event.source, true);
      writer.epoch(event.source, event.epoch);
      writer.watermark(event.source, event.position);
      writer.openGaps(event.source, event.gaps);
      health.idle(subject);
      break;
    case 'term-ended':
      writer.leader(event.source, false);
      if (event.why === 'fenced') writer.fenced();
      break;
    case 'election-waits':
    case 'election-fallback':
      writer.electedWithoutRedis(event.source, true);
      break;
    case 'election-restored':
      writer.electedWithoutRedis(event.source, false);
      break;
    case 'moved':
      writer.moved(event.source, event.rows, event.late);
      writer.appendMs(event.source, event.appendMs);
      writer.watermark(event.source, event.position);
      writer.openGaps(event.source, event.gaps);
      health.idle(subject);
      break;
    case 'gaps-held':
      writer.gapsHeld(event.source, event);
      break;
    case 'writer-retry':
      writer.retry(event.code);
      break;
    case 'source-halted':
      writer.halted(event.source, true);
      health.stuck(subject, `halted: ${event.message}`);
      break;
    case 'source-resumed':
      writer.halted(event.source, false);
      health.idle(subject);
      break;
    default:
      break;
  }
}

function showSenderEvent({ sender }: Metrics, haltedLanes: HaltedLanes, event: SenderEvent): void {
  switch (event.kind) {
    case 'delivered':
      sender.delivered(event);
      break;
    case 'sender-retry':
    case 'row-retry-failed':
      sender.retry(event.code);
      break;
    case 'rows-too-large':
      sender.tooLarge(event.rows);
      break;
    case 'throttled':
      sender.throttled(event.lastMinuteMs);
      break;
    case 'session-lost':
      if (event.code === 'KAFKA_FENCED') sender.fenced();
      break;
    case 'lane-lost':
      sender.fenced();
      break;
    case 'lane-halted':
      haltedLanes.halted(event.lane);
      break;
    case 'lane-taken':
    case 'lane-released':
      haltedLanes.forget(event.lane);
      break;
    case 'row-dead':
      sender.rowDead();
      break;
    default:
      break;
  }
}
