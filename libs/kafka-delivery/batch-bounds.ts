/**
 * How many bytes one record batch of a topic may have. A topic may allow less than the default (max.message.bytes):
 * when a batch of several records is refused as too large, the topic's bound is halved, so that the records are judged
 * in smaller company next time. Lives as long as the port, across sessions.
 */
export interface BatchBounds {
  of(topic: string): number;
  tooLarge(topic: string, batchBytes: number): void;
}

/** Below this, splitting further only costs throughput: single records are sent alone anyway. */
const BOUND_BYTES_MIN = 4_096;

export function createBatchBounds(defaultBytesMax: number): BatchBounds {
  const lowered = new Map<string, number>();
  return {
    of: (topic) => lowered.get(topic) ?? defaultBytesMax,
    tooLarge: (topic, batchBytes) => {
      lowered.set(topic, Math.max(BOUND_BYTES_MIN, Math.floor(batchBytes / 2)));
    },
  };
}
