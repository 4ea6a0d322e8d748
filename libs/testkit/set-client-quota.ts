/** Quotas of a client id, as an administrator sets them (AlterClientQuotas v0); kafkajs does not know the request. */
import { once } from 'node:events';
import { connect } from 'node:net';

const ALTER_CLIENT_QUOTAS = 49;
const DEADLINE_MS = 10_000;

const int16 = (value: number) => Buffer.from([value >> 8, value & 255]);
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const text = (value: string) => Buffer.concat([int16(value.length), Buffer.from(value, 'latin1')]);

/** Bytes a second; null takes the quota away. Resolves when the cluster has taken it; brokers learn of it a moment later. */
export async function setClientQuota(
  broker: string,
  clientId: string,
  quota: 'producer_byte_rate' | 'consumer_byte_rate',
  bytesPerSecond: number | null,
): Promise<void> {
  const value = Buffer.alloc(8);
  value.writeDoubleBE(bytesPerSecond ?? 0);
  const entity = Buffer.concat([int32(1), text('client-id'), text(clientId)]);
  const change = Buffer.concat([int32(1), text(quota), value, Buffer.from([bytesPerSecond === null ? 1 : 0])]);
  const header = Buffer.concat([int16(ALTER_CLIENT_QUOTAS), int16(0), int32(1), text('krs-testkit')]);
  const body = Buffer.concat([header, int32(1), entity, change, Buffer.from([0])]);
  const [host = '', port = ''] = broker.split(':');
  const socket = connect({ host, port: Number(port), signal: AbortSignal.timeout(DEADLINE_MS) });
  try {
    socket.write(Buffer.concat([int32(body.length), body]));
    let answer = Buffer.alloc(0);
    while (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) {
      answer = Buffer.concat([answer, ...(await once(socket, 'data'))]);
    }
    // Size, correlation id, throttle time, one entry: its code.
    const code = answer.readInt16BE(16);
    if (code !== 0) throw new Error(`Kafka refused the quota with code ${code}`);
  } finally {
    socket.destroy();
  }
}
