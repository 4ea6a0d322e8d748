/** What runs in a worker thread: the user's handler with a message, its outcome as something that can be cloned. */
import { pathToFileURL } from 'node:url';
import { workerData } from 'node:worker_threads';
import { describeThrown } from '#runtime';
import type { ConsumedMessage, Handler, ProducedRecord } from './message.ts';

export interface WorkerTask {
  readonly message: ConsumedMessage;
}

export type WorkerOutcome =
  | { readonly kind: 'handled'; readonly produced: readonly ProducedRecord[] }
  | {
      readonly kind: 'failed';
      readonly name: string;
      readonly message: string;
      readonly stack?: string;
      readonly code?: string | number;
    };

/** Buffers arrive as Uint8Array. */
function revive<T>(value: T): T {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength) as T;
  if (Array.isArray(value)) return value.map(revive) as T;
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, revive(each)])) as T;
}

async function loadHandler(): Promise<Handler> {
  // Piscina wraps what it was given.
  const { module, name } = (Array.isArray(workerData) ? workerData[1] : workerData) as Record<string, string>;
  const url = module?.startsWith('file:') ? module : pathToFileURL(module ?? '').href;
  const handler = (await import(url))[name ?? ''];
  if (typeof handler !== 'function') throw new TypeError(`${module} exports no function ${name}`);
  return handler;
}

let loaded: Promise<Handler> | null = null;

export default async function runTask({ message }: WorkerTask): Promise<WorkerOutcome> {
  const produced: ProducedRecord[] = [];
  try {
    loaded ??= loadHandler();
    const handler = await loaded;
    const { signal } = new AbortController();
    await handler(revive(message), { signal, produce: (record) => void produced.push(record) });
    return { kind: 'handled', produced };
  } catch (error) {
    const { name, message: text, stack, code } = describeThrown(error);
    return {
      kind: 'failed',
      name,
      message: text,
      ...(stack === null ? {} : { stack }),
      ...(code === null ? {} : { code }),
    };
  }
}
