/** A source, as the settings name it; in mode `append` rows stay and an auto-increment column says how far we are. */

/** A column that need not be there, unless it is required. */
export interface OptionalColumn {
  readonly column: string;
  readonly required: boolean;
}

/** Mode `consume`: an outbox table of the application, each row an event, taken out as it is moved. */
export interface EventDefinition {
  /** Its text is the header `id`. */
  readonly idColumn: string;
  /** The topic is `topicPrefix` and its text, where neither the row nor the source names a topic. */
  readonly routeColumn: string;
  readonly topicPrefix: string;
  /** Its bytes are the record's value, as they are; NULL is a tombstone. */
  readonly payloadColumn: string;
  /** W3C trace context as text of Java properties. */
  readonly tracingColumn: OptionalColumn;
  /** JSON object of texts. */
  readonly headersColumn: OptionalColumn;
  /** The record's key instead of the key column's, where it is not NULL. */
  readonly recordKeyColumn: OptionalColumn;
  readonly topicColumn: OptionalColumn;
  readonly headerColumns: readonly { readonly column: string; readonly header: string }[];
  /** Rows taken out are put in there, in the same transaction; null: they are gone. */
  readonly archive: { readonly table: string; readonly retentionMs: number } | null;
}

export interface SourceDefinition {
  /** Name of the source: first half of every event id of a watched table. */
  readonly name: string;
  /** `table` or `schema.table`. */
  readonly table: string;
  readonly watermarkColumn: string;
  /** Columns of the JSON value, in this order; null is every visible column in table order, columns added later included. */
  readonly columns: readonly string[] | null;
  readonly keyColumn: string | null;
  readonly topic: string | null;
  readonly topicColumn: string | null;
  /** Null or absent: mode `append`. */
  readonly event?: EventDefinition | null;
}
