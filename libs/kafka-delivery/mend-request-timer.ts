/**
 * kafkajs 2.2.4 arms a timer after every response even when nothing is pending, with a delay in the past: an endless
 * 1 ms timer per connection, and a TimeoutNegativeWarning each on Node 24 (kafkajs issues 1704 and 1751). A queue with
 * nothing pending needs no timer: the next request is pushed, and every response looks at the queue anyway.
 */
import { RelayError } from '#runtime';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const mended = new WeakSet<object>();

/** What `scheduleCheckPendingRequests` reads and calls in the version that was looked at. */
const EXPECTED = ['throttledUntil', 'throttleCheckTimeoutId', 'pending.length', 'checkPendingRequests'];

/**
 * Patches the prototype of kafkajs's request queue, once.
 * Throws INTERNAL when kafkajs changed: better a refused start than a patch of something else.
 */
export function mendRequestTimer(queueClass: unknown): void {
  const prototype = typeof queueClass === 'function' ? (queueClass.prototype as RequestQueue | undefined) : undefined;
  if (prototype && mended.has(prototype)) return;
  const original = prototype?.scheduleCheckPendingRequests;
  if (!prototype || !original || !EXPECTED.every((part) => original.toString().includes(part))) {
    throw new RelayError('INTERNAL', 'the request queue of kafkajs is not the one this mending was written for');
  }
  prototype.scheduleCheckPendingRequests = function scheduleIfPending(this: RequestQueue) {
    if (this.pending.length > 0) original.call(this);
  };
  mended.add(prototype);
}
