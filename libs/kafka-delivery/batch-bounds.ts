/**
 * How many bytes one record batch of a topic may have. A topic may allow less than the default (max.message.bytes):
 * when a batch of several records is refused as too large, the topic's bound is halved, so that the records are judged
 * in smaller company next time. Lives as long as the port, across sessions.
 */
export interface BatchBounds {
  of(topic: string): number;
  tooLarge(topic: string, batchBytes: number): void;
  /** What one record of the topic may take, in bytes; null while that is not known. */
  recordMax(topic: string): number | null;
  /** The topic's limit (max.message.bytes), as asked for, or assumed where we may not ask. */
  learn(topic: string, messageBytesMax: number, assumed: boolean): void;
  /** A single record was refused: an assumed limit is halved, one that was asked for is asked for again. */
  recordTooLarge(topic: string, batchBytes: number): void;
}

/** Below this, splitting further only costs throughput: single records are sent alone anyway. */
const BOUND_BYTES_MIN = 4_096;

/** The batch around a record. */
const BATCH_OVERHEAD_BYTES = 100;

/** A record has some bytes around its value. */
const RECORD_BYTES_MIN = 1;

export function createBatchBounds(defaultBytesMax: number): BatchBounds {
  const lowered = new Map<string, number>();
  const records = new Map<string, { readonly bytesMax: number; readonly assumed: boolean }>();
  const learn = (topic: string, messageBytesMax: number, assumed: boolean) => {
    const recordBytesMax = Math.max(
      assumed ? BOUND_BYTES_MIN : RECORD_BYTES_MIN,
      messageBytesMax - BATCH_OVERHEAD_BYTES,
    );
    // Somebody has raised the limit: what was refused under the old one says nothing any more.
    if (recordBytesMax > (records.get(topic)?.bytesMax ?? recordBytesMax)) lowered.delete(topic);
    records.set(topic, { bytesMax: recordBytesMax, assumed });
    if (recordBytesMax < (lowered.get(topic) ?? defaultBytesMax)) lowered.set(topic, recordBytesMax);
  };
  return {
    learn,
    recordMax: (topic) => records.get(topic)?.bytesMax ?? null,
    recordTooLarge: (topic, batchBytes) => {
      const known = records.get(topic);
      if (known?.assumed) learn(topic, Math.floor(Math.min(batchBytes, known.bytesMax) / 2), true);
      else records.delete(topic);
    },
    of: (topic) => lowered.get(topic) ?? defaultBytesMax,
    tooLarge: (topic, batchBytes) => {
      lowered.set(topic, Math.max(BOUND_BYTES_MIN, Math.floor(batchBytes / 2)));
    },
  };
}
