/**
 * The end of a consumer that nobody has asked for. It is said on standard error whatever the logger does, health says it, and
 * whoever waits for `ended` hears of it: a consumer that has ended looks like one that has nothing to do otherwise.
 */
import type { Consumer } from 'kafkajs';
import type { ProgressHealth } from '#observability';
import { asRelayError, type Logger, type RelayError, silentLogger } from '#runtime';

interface EndOptions {
  readonly groupId: string;
  readonly logger: Logger;
  readonly health: ProgressHealth;
  readonly isStopping: () => boolean;
}

const SUBJECT = 'consumer';

const say = (text: string): void => void process.stderr.write(`kafka-row-sender: ${text}\n`);

/** Says on standard error what nobody would hear of otherwise: whoever gives no logger hears nothing of it. */
export const complainer =
  (logger: Logger): ((text: string) => void) =>
  (text) => {
    if (logger === silentLogger) say(text);
  };

export class ConsumerEnd {
  readonly #options: EndOptions;
  readonly #ended = Promise.withResolvers<RelayError | null>();
  #fault: RelayError | null = null;

  constructor(options: EndOptions) {
    this.#options = options;
  }

  /** Why it has ended by itself; null while it has not. */
  get fault(): RelayError | null {
    return this.#fault;
  }

  /** With what has ended it, or with null once it was stopped. */
  get ended(): Promise<RelayError | null> {
    return this.#ended.promise;
  }

  stopped(): void {
    this.#ended.resolve(this.#fault);
  }

  /** To be called once, before it runs. */
  watch(consumer: Pick<Consumer, 'on' | 'events'>): void {
    const { health } = this.#options;
    const { GROUP_JOIN, REBALANCING, CRASH } = consumer.events;
    consumer.on(GROUP_JOIN, () => health.idle(SUBJECT));
    // It is to be in the group again before long.
    consumer.on(REBALANCING, () => health.working(SUBJECT));
    consumer.on(CRASH, ({ payload }) => this.#crashed(asRelayError(payload.error), payload.restart));
  }

  #crashed(error: RelayError, restarts: boolean): void {
    const { health, logger, groupId, isStopping } = this.#options;
    if (isStopping()) return;
    if (restarts) {
      health.working(SUBJECT);
      logger.error({ err: error, groupId, restart: true }, 'the consumer failed, and begins again');
      return;
    }
    this.#fault = error;
    const text = `the consumer of group ${groupId} has ended by a fault, and handles nothing any more: ${error.message}; mend that and start the process again`;
    health.stuck(SUBJECT, `ended by a fault: ${error.message}`);
    logger.fatal({ err: error, event: 'consumer-ended', groupId }, text);
    say(text);
    this.#ended.resolve(error);
  }
}
