/** Which engine answers: the kind decides the form of our statements, the name is for people. */

export type EngineKind = 'mariadb' | 'mysql' | 'singlestore' | 'tidb' | 'unknown';

export interface Engine {
  /** Found by what the server does, whatever it calls itself. */
  readonly kind: EngineKind;
  /** One line for people: the engine found, and what the server calls itself where that says something else. */
  readonly name: string;
  /** As the server writes it. */
  readonly version: string;
  /** The engine's own version number; 0.0.0 where it cannot be had. */
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** information_schema answers with figures that may be a day old, unless the session asks for fresh ones. */
  readonly cachesStatistics: boolean;
  /** Above 1 on Galera and multi-primary set-ups: then every second id is never used. */
  readonly autoIncrementIncrement: number;
  readonly autoIncrementOffset: number;
  /** The largest statement the server takes, in bytes (max_allowed_packet). */
  readonly statementBytesMax: number;
}
