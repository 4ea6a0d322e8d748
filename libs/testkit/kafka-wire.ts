/** Just enough of Kafka's protocol for a proxy: frames, API keys, correlation ids, and the addresses of brokers in answers. */

/** Answers to these name brokers: Metadata and FindCoordinator, in the encodings without compact strings. */
const NAMES_BROKERS = new Set([3, 10]);
const SIZE_BYTES = 4;

export interface KafkaRequest {
  readonly apiKey: number;
  readonly frame: Buffer;
}

export interface KafkaWire {
  /** Takes bytes of the client; true when a request completed by them fits. Later requests of the chunk are not looked at. */
  request(chunk: Buffer, fits: ((request: KafkaRequest) => boolean) | null): boolean;
  /** Takes bytes of the broker; whole frames come out, with the proxy's address for the broker's. */
  response(chunk: Buffer): { readonly frame: Buffer; readonly trapped: boolean }[];
}

function address(host: string, port: number): Buffer {
  const buffer = Buffer.alloc(2 + host.length + 4);
  buffer.writeInt16BE(host.length, 0);
  buffer.write(host, 2, 'latin1');
  buffer.writeInt32BE(port, 2 + host.length);
  return buffer;
}

/** Splits a stream into frames of a four-byte size and so many bytes; keeps the rest for later. */
function createSplitter(): (chunk: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Buffer[] = [];
    while (rest.length >= SIZE_BYTES && rest.length >= SIZE_BYTES + rest.readInt32BE(0)) {
      const end = SIZE_BYTES + rest.readInt32BE(0);
      // A copy: the frame may be changed, the chunk goes elsewhere too.
      frames.push(Buffer.from(rest.subarray(0, end)));
      rest = rest.subarray(end);
    }
    return frames;
  };
}

export function createKafkaWire(broker: { host: string; port: number }, proxyPort: number): KafkaWire {
  const real = address(broker.host, broker.port);
  const ours = address(broker.host, proxyPort);
  const splitRequests = createSplitter();
  const splitResponses = createSplitter();
  const pending = new Map<number, { apiKey: number; trapped: boolean }>();
  return {
    request: (chunk, fits) => {
      let caught = false;
      for (const frame of splitRequests(chunk)) {
        const apiKey = frame.readInt16BE(SIZE_BYTES);
        const trapped: boolean = !caught && fits !== null && fits({ apiKey, frame });
        caught ||= trapped;
        pending.set(frame.readInt32BE(SIZE_BYTES + 4), { apiKey, trapped });
      }
      return caught;
    },
    response: (chunk) =>
      splitResponses(chunk).map((frame) => {
        const correlationId = frame.readInt32BE(SIZE_BYTES);
        const asked = pending.get(correlationId);
        pending.delete(correlationId);
        if (asked !== undefined && NAMES_BROKERS.has(asked.apiKey)) replaceAll(frame, real, ours);
        return { frame, trapped: asked?.trapped ?? false };
      }),
  };
}

/** In place: both have the same length. */
function replaceAll(frame: Buffer, from: Buffer, to: Buffer): void {
  for (let at = frame.indexOf(from); at >= 0; at = frame.indexOf(from, at + from.length)) to.copy(frame, at);
}
