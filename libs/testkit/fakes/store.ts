/**
 * The outbox store in memory, both halves of it for one process. Processes of one simulation share the tables and have a store,
 * and with it a gate, each.
 */
import type { SenderStore, WriterStore } from '#outbox';
import type { FakeStoreOptions } from './store-options.ts';
import { FakeSenderStore } from './store-sender.ts';
import { FakeWriterStore } from './store-writer.ts';

export interface FakeStore {
  readonly writer: WriterStore;
  readonly sender: SenderStore;
}

export const createFakeStore = (options: FakeStoreOptions): FakeStore => ({
  writer: new FakeWriterStore(options),
  sender: new FakeSenderStore(options),
});
