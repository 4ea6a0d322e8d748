/**
 * Each method of the store in memory is one instant, as a committed transaction is, between two passes of the gate: there a
 * simulation can hold it, crash it before or after its effect, or let other processes go on.
 */
import type { FakeOutboxTables } from './store-tables.ts';

/** Called as `store.append` before the effect and `store.append:answered` after; a rejection is the call's. */
export type StoreGate = (name: string) => Promise<void> | undefined;

export type StoreCall = <T>(name: string, effect: () => T) => Promise<T>;

export interface FakeStoreOptions {
  readonly tables: FakeOutboxTables;
  readonly gate?: StoreGate;
  /** Instead of the gate: how a call's effect comes about, as a whole. */
  readonly call?: StoreCall;
}

export function gatedCall(gate: StoreGate = () => undefined): StoreCall {
  return async (name, effect) => {
    const before = gate(`store.${name}`);
    if (before !== undefined) await before;
    const answer = effect();
    const after = gate(`store.${name}:answered`);
    if (after !== undefined) await after;
    return answer;
  };
}
