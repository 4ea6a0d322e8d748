/** What a kafkajs consumer is handed of one partition, as far as it is mended. */

export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value?: Buffer | null;
  readonly headers?: Readonly<Record<string, Buffer | null | (Buffer | null)[]>>;
  readonly timestamp?: string;
  /** Not shown to anybody, but counted when kafkajs looks for the next offset. */
  isControlRecord: boolean;
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean };
  /** Of the topic it was read from; null where brokers give no ids. */
  topicId?: string | null;
}

export interface FetchedPartitionData {
  readonly messages: readonly FetchedMessage[];
  abortedTransactions?: readonly { readonly producerId: string; readonly firstOffset: string }[];
}
