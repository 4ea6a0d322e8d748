/** Tries the doorbell on its very channel: subscribes, rings with nothing to say, and hears it. */
import { randomUUID } from 'node:crypto';
import { type RedisTarget, type RedisTrial, tryStep, withProbe } from '#redis';
import { encodeMessage } from './message.ts';

/** Rejects with REDIS_UNREACHABLE only. */
export function probeDoorbell(target: RedisTarget, prefix: string): Promise<readonly RedisTrial[]> {
  const channel = `${prefix}:doorbell`;
  const message = encodeMessage({ from: randomUUID(), rings: [] });
  return withProbe(target, (publisher) =>
    withProbe(target, async (listener) => {
      const heard = new Promise<void>((resolve) => {
        listener.on('message', (_, text: string) => {
          if (text === message) resolve();
        });
      });
      const trials = [
        await tryStep(`listen to the doorbell (SUBSCRIBE ${channel})`, listener, () => listener.subscribe(channel)),
        await tryStep(`ring the doorbell (PUBLISH ${channel})`, publisher, () => publisher.publish(channel, message)),
      ];
      if (trials.some(({ refusal }) => refusal !== null)) return trials;
      return [...trials, await tryStep('hear the doorbell', listener, () => heard)];
    }),
  );
}
