/** What a store in memory is made of. */
import type { CallGate, FakeCall } from './gated-call.ts';
import type { FakeOutboxTables } from './store-tables.ts';

export interface FakeStoreOptions {
  readonly tables: FakeOutboxTables;
  readonly gate?: CallGate;
  /** Instead of the gate: how a call's effect comes about, as a whole. */
  readonly call?: FakeCall;
}
