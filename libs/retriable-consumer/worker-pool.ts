/**
 * Handlers in worker threads (piscina), for work that would keep the event loop, and with it the heartbeats, waiting. The
 * message goes there and its outcome comes back by structured clone; the offset is still kept here.
 */
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { ConsumedMessage, Handler } from './message.ts';
import type { WorkerOutcome, WorkerTask } from './worker-task.ts';

export interface WorkerOptions {
  /** Module of the handler: an absolute path or a `file:` URL. */
  readonly module: string | URL;
  /** Its export. Default: `default`. Gets the message and `{ produce }`; there is no `signal`: a thread is ended instead. */
  readonly handler?: string;
  /** Default: as many as the machine has cores, at least one. */
  readonly threads?: number;
  /** Of each thread, in MiB: a handler that takes more ends with an error, not the process. Default: Node's own. */
  readonly heapMibMax?: number;
}

export interface WorkerPool {
  readonly handler: Handler;
  /** Ends the threads; tasks under way are given up. */
  close(): Promise<void>;
}

const TASK = new URL(import.meta.url.endsWith('.ts') ? './worker-task.ts' : './worker-task.js', import.meta.url);

/** An error of a handler in a thread: its name, message and stack are those of the original. */
export class WorkerHandlerError extends Error {
  constructor({ name, message, stack, code }: Extract<WorkerOutcome, { readonly kind: 'failed' }>) {
    super(message);
    this.name = name;
    if (stack !== undefined) this.stack = stack;
    if (code !== undefined) this.code = code;
  }

  readonly code?: string | number;
}

const bytes = (value: Uint8Array | null): Buffer | null =>
  value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength);

/** Threads are started when they are needed first. */
export function createWorkerPool(options: WorkerOptions, concurrency: number): WorkerPool {
  const { module, handler: name = 'default', threads, heapMibMax } = options;
  const pool = new Piscina<WorkerTask, WorkerOutcome>({
    filename: fileURLToPath(TASK),
    minThreads: 1,
    ...(threads === undefined ? {} : { maxThreads: threads }),
    ...(heapMibMax === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMibMax } }),
    maxQueue: concurrency,
    workerData: { module: String(module), name },
  });
  // A thread that dies without a task shows with the next one.
  pool.on('error', () => undefined);
  const handler: Handler = async (message: ConsumedMessage, { signal, produce }) => {
    const outcome = await pool.run({ message }, { signal });
    if (outcome.kind === 'failed') throw new WorkerHandlerError(outcome);
    for (const { key = null, value, ...record } of outcome.produced) {
      const clean = (each: Uint8Array | string | null) => (typeof each === 'string' ? each : bytes(each));
      produce({ ...record, key: clean(key), value: clean(value) });
    }
  };
  return { handler, close: () => pool.destroy() };
}
