/**
 * Runs a server-side prepared statement without a result set. Preparing and keeping statements is the driver's; the packet
 * with the values is ours (encode-execute.ts) where its form is the classic one, and the driver's otherwise.
 */
import { EventEmitter } from 'node:events';
import type { Connection, QueryError } from 'mysql2';
import { RelayError } from '#runtime';
import { encodeExecute, executeBytesMax, isPreparedValue, type PreparedValue } from './encode-execute.ts';
import { requireWellFormed } from './sql-literals.ts';
import type { SqlValue } from './sql-value.ts';

type Done = (error: QueryError | null, result?: { readonly affectedRows: number }) => void;

/** Packets of 16 MiB and more are cut in pieces, by the driver. */
const PACKET_BYTES_MAX = 0xff_ffff;
/** Larger buffers are not kept: a batch of a thousand rows of a kilobyte fits. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024;
/** Negotiated with MySQL from 8.0.26: the packet then has names in it. */
const CLIENT_QUERY_ATTRIBUTES = 0x0800_0000;
const OK = 0x00;

/** What a received packet offers (mysql2/lib/packets/packet.js). */
interface Packet {
  readonly buffer: Buffer;
  readonly offset: number;
  isError(): boolean;
  asError(encoding: string): QueryError;
  readInt8(): number;
  readLengthCodedNumber(): number | null;
}

/** The parts of mysql2's connection that commands use (mysql2/lib/base/connection.js, lib/commands/command.js). */
interface CommandHost {
  readonly config: { readonly clientFlags: number };
  readonly serverCapabilityFlags: number;
  readonly clientEncoding: string;
  addCommand(command: unknown): unknown;
  write(bytes: Buffer): void;
  _resetSequenceId(): void;
  _bumpSequenceId(packets: number): void;
}

const HOST_METHODS = ['addCommand', 'write', '_resetSequenceId', '_bumpSequenceId'] as const;

/** One connection's way to run prepared statements; the caller runs one statement at a time. */
export class PreparedRunner {
  readonly #connection: Connection;
  readonly #host: CommandHost;
  /** Free again once the server has answered: it had the whole packet then. */
  #kept: Buffer = Buffer.alloc(0);

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#host = connection as unknown as CommandHost;
    if (!HOST_METHODS.every((name) => typeof this.#host[name] === 'function')) {
      throw new RelayError('INTERNAL', 'mysql2 is not the version that run-prepared was written for (3.24)');
    }
  }

  /** Throws DB_ROW_REFUSED for a text that has no UTF-8 bytes. */
  run(sql: string, values: readonly SqlValue[], done: Done): void {
    // Both ways to write a text would put U+FFFD where half of a pair stands.
    for (const value of values) if (typeof value === 'string') requireWellFormed(value);
    const bytesMax = values.every(isPreparedValue) ? executeBytesMax(values) : Number.POSITIVE_INFINITY;
    if (bytesMax > PACKET_BYTES_MAX || this.#hasAttributes) {
      this.#connection.execute({ sql, values: values as never[] }, done as never);
      return;
    }
    this.#connection.prepare(sql, (error, statement) => {
      if (error) {
        done(error);
        return;
      }
      const { id } = statement as unknown as { readonly id: number };
      const bytes = this.#buffer(bytesMax);
      const length = encodeExecute(bytes, id, values as readonly PreparedValue[]);
      this.#host.addCommand(new ExecuteCommand(bytes.subarray(0, length), done));
    });
  }

  get #hasAttributes(): boolean {
    return (this.#host.config.clientFlags & this.#host.serverCapabilityFlags & CLIENT_QUERY_ATTRIBUTES) !== 0;
  }

  #buffer(bytes: number): Buffer {
    if (bytes <= this.#kept.length) return this.#kept;
    const made = Buffer.allocUnsafeSlow(Math.min(KEPT_BYTES_MAX, Math.max(bytes, this.#kept.length * 2)));
    if (bytes > made.length) return Buffer.allocUnsafeSlow(bytes);
    this.#kept = made;
    return made;
  }
}

/** A command as mysql2's connection runs them: started without a packet, then handed each packet until it says it is done. */
class ExecuteCommand extends EventEmitter {
  readonly #bytes: Buffer;
  /** By this name the connection tells of its own end. */
  readonly onResult: Done;

  constructor(bytes: Buffer, done: Done) {
    super();
    this.#bytes = bytes;
    this.onResult = done;
  }

  execute(packet: Packet | undefined, host: CommandHost): boolean {
    if (packet === undefined) {
      host._resetSequenceId();
      host._bumpSequenceId(1);
      host.write(this.#bytes);
      return false;
    }
    if (packet.isError()) this.onResult(packet.asError(host.clientEncoding));
    else if (packet.buffer[packet.offset] === OK) {
      packet.readInt8();
      this.onResult(null, { affectedRows: packet.readLengthCodedNumber() ?? 0 });
    } else throw new RelayError('INTERNAL', 'a prepared statement without a result set answered with one');
    this.emit('end');
    return true;
  }
}
