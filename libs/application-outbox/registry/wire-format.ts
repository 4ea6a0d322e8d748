/** Confluent's wire format: a zero byte, the schema's id in four bytes (big-endian), and the data. */
export function wireFormat(schemaId: number, data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(5 + data.length);
  bytes.writeUInt32BE(schemaId, 1);
  bytes.set(data, 5);
  return bytes;
}
