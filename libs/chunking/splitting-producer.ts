/** For producers of applications: the same `send`, which cuts what is too large. Off unless told. */
import type { MessageHeaders } from './chunk-headers.ts';
import { type SplitOptions, splitMessage } from './split-message.ts';

/** What kafkajs's producer and transaction take; other clients fit by a line of their own. */
export interface SendableMessage {
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: MessageHeaders;
  readonly partition?: number;
  readonly timestamp?: string;
}

export interface SendRequest {
  readonly topic: string;
  readonly messages: readonly SendableMessage[];
}

/** Structural: a producer or a transaction of kafkajs. */
export interface Sender<Answer> {
  // biome-ignore lint/suspicious/noExplicitAny: the client's own record, whose type this library does not import
  send(record: any): Promise<Answer>;
}

export interface SplittingOptions extends SplitOptions {
  /** Default false: everything is sent as it is. */
  readonly split?: boolean;
}

const bytes = (value: Buffer | string | null | undefined): Buffer | null =>
  value === null || value === undefined ? null : Buffer.from(value);

/**
 * Messages that fit go together as they were given; the chunks of others one a request, in order, because kafkajs makes one
 * batch of all messages of a partition, which the broker would refuse. Without a transaction a failure in the middle leaves some
 * chunks behind: send the message again, and the joiner buries the rest after its waiting time.
 * Rejects with KAFKA_RECORD_REFUSED, before anything is sent, for a message that cannot be cut.
 */
export function createSplittingSender<Answer>(sender: Sender<Answer>, options: SplittingOptions = {}) {
  const { split = false, ...limits } = options;
  return async ({ topic, messages, ...rest }: SendRequest): Promise<Answer[]> => {
    if (!split) return [await sender.send({ ...rest, topic, messages })];
    const requests: SendableMessage[][] = [];
    let together: SendableMessage[] = [];
    for (const message of messages) {
      const whole = { key: bytes(message.key), value: bytes(message.value), headers: message.headers ?? {} };
      const parts = splitMessage(whole, limits);
      if (parts.length === 1) {
        together.push(message);
        continue;
      }
      if (together.length > 0) requests.push(together);
      together = [];
      for (const part of parts) requests.push([{ ...message, ...part }]);
    }
    if (together.length > 0) requests.push(together);
    const answers: Answer[] = [];
    for (const request of requests) answers.push(await sender.send({ ...rest, topic, messages: request }));
    return answers;
  };
}
