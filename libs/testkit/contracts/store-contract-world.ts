/** The store contract: the world it is checked in, and what its parts share. */
import { type OutboxMessage, outboxId, type SenderStore, type WriterStore } from '#outbox';

/** One process's view of the store. */
export interface StoreSide {
  readonly writer: WriterStore;
  readonly sender: SenderStore;
}

/** Fresh, empty tables. */
export interface StoreWorld {
  /** Two processes. */
  readonly one: StoreSide;
  readonly other: StoreSide;
  /** Lets the database's clock go on, as leases, heartbeats and due times see it. */
  elapse(ms: number): Promise<void>;
  close(): Promise<void>;
}

export interface StoreHarness {
  readonly name: string;
  open(): Promise<StoreWorld>;
}

export type StoreCheck = (title: string, body: (world: StoreWorld) => Promise<void>) => void;

/** No gap is opened or closed. */
export const NO_CHANGES = { put: [], drop: [] } as const;
/** Of a source that nothing has halted. */
export const RUNNING = { state: 'running', cause: null, why: null, incarnations: [] } as const;

export const START = { position: 0n, gaps: [] } as const;

export function message(lane: number, sequence: number, more: Partial<OutboxMessage> = {}): OutboxMessage {
  return {
    id: outboxId(lane, sequence),
    eventId: `orders:${sequence}`,
    topic: 'orders',
    key: Buffer.from(`key-${sequence % 3}`),
    value: Buffer.from(`{"n":${sequence}}`),
    headers: null,
    ...more,
  };
}

/** A registered source with a term begun, and an append that moves its position and sequence by what it is given. */
export async function startSource(world: StoreWorld, source: string, lanes: number) {
  const { writer } = world.one;
  const numbers = await writer.registerSource({ source, ...START, lanes });
  const term = await writer.beginTerm(source, 'one');
  let sequence = term.nextSequence;
  const append = async (messages: readonly OutboxMessage[], next = sequence + messages.length) => {
    const outcome = await writer.append({
      source,
      epoch: term.epoch,
      expectedNextSequence: sequence,
      next: { position: BigInt(next - 1), gaps: NO_CHANGES, nextSequence: next },
      messages,
    });
    sequence = next;
    return outcome;
  };
  return { lanes: numbers, epoch: term.epoch, append };
}
