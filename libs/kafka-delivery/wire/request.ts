/** The shape of one request to a broker: which API and version, how to write it, how to read the answer. */
import type { WireReader } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

export interface WireRequest<Answer> {
  readonly api: number;
  readonly name: string;
  readonly version: number;
  /** Flexible versions (KIP-482) have tagged fields in both headers. */
  readonly flexible?: boolean;
  /** ApiVersions answers with the old header in every version, since its asker cannot know yet what the broker speaks. */
  readonly plainAnswer?: boolean;
  /** False when the broker does not answer at all (produce with acks 0). */
  readonly answered?: boolean;
  /**
   * Where the answer says how long the broker takes nothing more from us (throttle_time_ms, KIP-219). Nearly all say it first; null:
   * not at a fixed place.
   */
  readonly throttleAt?: 'start' | 'end' | null;
  readonly write: (writer: WireWriter) => void | Promise<void>;
  readonly read: (reader: WireReader) => Answer;
}
