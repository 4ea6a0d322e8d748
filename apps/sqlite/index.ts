/** `kafka-row-sender/sqlite`: the relay of an SQLite file, inside the application that writes it. */
export type { Notification } from '#notification';
export {
  type SqliteRelay,
  type SqliteRelayOptions,
  type SqliteSource,
  startSqliteRelay,
} from './start-sqlite-relay.ts';
