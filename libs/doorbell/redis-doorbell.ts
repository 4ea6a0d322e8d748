/** The doorbell over Redis: one connection publishes, one listens. */
import { randomUUID } from 'node:crypto';
import type { Doorbell } from '#outbox';
import { closeRedis, openRedis, type RedisTarget, redisErrorCode, reportRefusals, waitUntilReady } from '#redis';
import { type Clock, type Logger, type Random, systemClock, systemRandom, withDeadline } from '#runtime';
import { createListeners } from './listeners.ts';
import { decodeMessage, encodeMessage } from './message.ts';
import { createPendingRings } from './pending-rings.ts';
import { subscribe } from './subscription.ts';

export interface RedisDoorbellOptions {
  readonly redis: RedisTarget;
  /** The channel is `<prefix>:doorbell`. */
  readonly prefix: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

const COMMAND_TIMEOUT_MS = 1000;
/** The first ring waits this long for the connection: a process that rings once and ends would never be heard. */
const FIRST_CONNECT_WAIT_MS = 1000;
/** `close` waits this long for the last rings, which tell others to take over. */
const CLOSE_DEADLINE_MS = 1500;

const isRefusal = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError';

/** Starts connecting and returns at once. `ring` never throws and never waits; while Redis is away rings are dropped. */
export function createRedisDoorbell(options: RedisDoorbellOptions): Doorbell {
  const { redis: target, prefix, logger } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const common = { target, commandTimeoutMs: COMMAND_TIMEOUT_MS, logger, random };
  const me = randomUUID();
  const channel = `${prefix}:doorbell`;
  const listeners = createListeners(logger);
  const pending = createPendingRings();
  const refusals = reportRefusals(
    `${prefix}-doorbell`,
    'nobody is woken by rings, everything goes on by polling',
    logger,
  );
  const publisher = openRedis({ ...common, use: `${prefix}-doorbell` });
  const connected = waitUntilReady(publisher, FIRST_CONNECT_WAIT_MS, clock);
  let flushing: Promise<void> | null = null;
  let closing: Promise<void> | null = null;

  const unsubscribe = subscribe({
    ...{ ...common, use: `${prefix}-doorbell-listener`, channel, clock, refusals },
    onMessage: (text) => {
      const message = decodeMessage(text);
      if (message === null) logger.debug({ length: text.length }, 'ignored a malformed doorbell message');
      else if (message.from !== me) listeners.tell(message.rings);
    },
  });

  // At most one publish is under way; what is rung meanwhile is merged and goes with the next.
  const flush = async () => {
    await null;
    for (let rings = pending.take(); rings.length > 0; rings = pending.take()) {
      listeners.tell(rings);
      await connected;
      await publisher.publish(channel, encodeMessage({ from: me, rings })).then(
        () => refusals.taken('PUBLISH'),
        (error: unknown) => {
          // What is away is told by the connection.
          if (isRefusal(error)) refusals.refused('PUBLISH', redisErrorCode(error));
        },
      );
    }
    flushing = null;
  };

  const close = async () => {
    if (flushing) await withDeadline(flushing, CLOSE_DEADLINE_MS, 'the last rings').catch(() => undefined);
    listeners.clear();
    closeRedis(publisher);
    await unsubscribe();
  };

  return {
    ring: (ring) => {
      if (closing) return;
      pending.add(ring);
      flushing ??= flush();
    },
    listen: (onRing) => listeners.add(onRing),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
