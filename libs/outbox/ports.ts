/**
 * The four ports of the core: source, outbox store, Kafka, and lock with doorbell. Adapters implement them, apps wire
 * them, the simulation fakes them. Every method has its own deadline inside the adapter and rejects with RelayError only.
 */
export type * from './ports-aside.ts';
export type * from './ports-kafka.ts';
export type * from './ports-lock.ts';
export type * from './ports-source.ts';
export type * from './ports-store.ts';
export type * from './ports-watermark.ts';
