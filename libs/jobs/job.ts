/** What a job is. Its data is plain text in Redis, so it names things and carries none: no payload fits into it. */
import { z } from 'zod';
import { LANES_MAX } from '#outbox';

/**
 * `retry-due`: rows set aside in these lanes are due. `refresh-markers`: markers of idle lanes are committed again before
 * Kafka forgets them. `cleanup`: finished things past their retention. `verify`: compare topic and source.
 */
export const JOB_KINDS = ['retry-due', 'refresh-markers', 'cleanup', 'verify'] as const;
export type JobKind = (typeof JOB_KINDS)[number];

const NAME_LENGTH_MAX = 255;
const dataSchema = z.strictObject({
  lanes: z.array(z.int().min(0).lt(LANES_MAX)).max(LANES_MAX).readonly().exactOptional(),
  source: z.string().min(1).max(NAME_LENGTH_MAX).exactOptional(),
});

/** What the job is about. */
export type JobData = Readonly<z.infer<typeof dataSchema>>;

export interface JobContext {
  /** Aborts when the process stops or another worker may have taken the job. */
  readonly signal: AbortSignal;
  /** Shows how far the job is, in percent; never rejects. */
  progress(percent: number): Promise<void>;
}

export type JobHandlers = Readonly<Record<JobKind, (data: JobData, context: JobContext) => Promise<void>>>;

export interface AddOptions {
  readonly delayMs?: number;
  /**
   * While a job with this key waits, is delayed or runs, another one is not added. While it is delayed, adding it again
   * moves it to the new delay.
   */
  readonly dedupeKey?: string;
}

export interface DueJob extends AddOptions {
  readonly kind: JobKind;
  readonly data: JobData;
  readonly dedupeKey: string;
}

export function isJobKind(name: string): name is JobKind {
  return (JOB_KINDS as readonly string[]).includes(name);
}

/** Null when the data is not of the form, which also keeps payloads out. */
export function parseJobData(data: unknown): JobData | null {
  const parsed = dataSchema.safeParse(data);
  return parsed.success ? parsed.data : null;
}
