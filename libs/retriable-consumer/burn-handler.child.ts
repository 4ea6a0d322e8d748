/** Handlers for worker threads, for the test: one burns a processor, one fails with a class of its own, one is no function. */
import type { Handler } from './message.ts';

class BadNews extends Error {
  override readonly name = 'BadNews';
}

const burn: Handler = (message, { produce }) => {
  const { burnMs, target } = JSON.parse(String(message.value));
  if (burnMs === undefined) throw new BadNews('nothing to burn');
  const untilMs = Date.now() + burnMs;
  let work = 0;
  while (Date.now() < untilMs) work = (work + 1) % 1_000_003;
  produce({ topic: target, key: message.key, value: Buffer.from(`burned for ${String(message.headers.id)}`) });
  return work;
};

export default burn;
export const notAFunction = 1;
