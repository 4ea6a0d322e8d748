/** A watched table, as the settings name it: mode `append`, where rows stay and an auto-increment column says how far we are. */

export interface SourceDefinition {
  /** Name of the source: first half of every event id. */
  readonly name: string;
  /** `table` or `schema.table`. */
  readonly table: string;
  readonly watermarkColumn: string;
  /** Columns of the JSON value, in this order; null is every visible column in table order, columns added later included. */
  readonly columns: readonly string[] | null;
  readonly keyColumn: string | null;
  readonly topic: string | null;
  readonly topicColumn: string | null;
}
