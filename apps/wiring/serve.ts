/** What a process shows while it runs: events of the core as metrics and health, served when HTTP_PORT is set, and told to people. */
import { createNotifier, type NotifierOptions } from '#notification';
import {
  createMetrics,
  createProgressHealth,
  type Metrics,
  type ProgressHealth,
  startHttpServer,
} from '#observability';
import type { Sender, SenderEvent, WriterEvent } from '#outbox';
import { systemClock } from '#runtime';
import { createElectionNotes } from './election-notes.ts';
import { createHaltedLanes, type HaltedLanes } from './halted-lanes.ts';
import { createHeldGaps } from './held-gaps.ts';
import type { Operator } from './operator.ts';
import { sampleBacklog } from './sample-backlog.ts';
import type { Service } from './service.ts';

/** Above the longest deadline of one step, a Kafka transaction of 30 s. */
const STALL_MS = 60_000;

export interface Served {
  readonly onWriterEvent: (event: WriterEvent) => void;
  readonly onSenderEvent: (event: SenderEvent) => void;
  /** The sender whose progress is health. */
  watch(sender: Sender): void;
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
  const health = createProgressHealth({ clock: systemClock, stallMs: STALL_MS });
  const haltedLanes = createHaltedLanes(health);
  const noted = [createHeldGaps(), createElectionNotes()];
  const state = { sender: null as Sender | null, waitsFor: new Set<string>(roles.sender ? ['Kafka'] : []) };
  const shown = {
    onWriterEvent: (event: WriterEvent) => {
      notifier.onWriterEvent(event);
      for (const each of noted) each.note(event);
      showWriterEvent(metrics, health, event);
    },
    onSenderEvent: (event: SenderEvent) => {
      notifier.onSenderEvent(event);
      if (event.kind === 'session-opened') state.waitsFor.delete('Kafka');
      if (event.kind === 'session-lost') state.waitsFor.add('Kafka');
      showSenderEvent(metrics, haltedLanes, event);
      if (state.sender !== null) metrics.sender.lanesHeld(state.sender.lanes.length);
    },
    watch: (sender: Sender) => {
      state.sender = sender;
    },
  };
  const { host, port } = config.http;
  if (port === null) return { ...shown, close: () => notifier.close() };
  const server = await startHttpServer({
    host,
    port,
    metrics,
    logger,
    health: () => {
      const answer = health.health();
      const stalledMs = state.sender === null ? 0 : systemClock.nowMs() - state.sender.progressAtMs;
      const notes = noted.flatMap((each) => each.lines());
      if (stalledMs < STALL_MS) return { ...answer, notes };
      return {
        healthy: false,
        reasons: [...answer.reasons, `no turn ended well for ${Math.floor(stalledMs / 1000)} s`],
        notes,
      };
    },
    ready: () => ({
      ready: state.waitsFor.size === 0,
      reasons: [...state.waitsFor].map((name) => `waits for ${name}`),
    }),
  });
  logger.info({ host: server.host, port: server.port }, 'serving health and metrics');
  const ended = new AbortController();
  const sampling = roles.sender
    ? sampleBacklog(service, operator, metrics, haltedLanes, ended.signal)
    : Promise.resolve();
  return {
    ...shown,
    close: async () => {
      ended.abort();
      await sampling;
      await server.close();
      await notifier.close();
    },
  };
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
      health.working(subject);
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
    case 'rows-still-too-large':
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
