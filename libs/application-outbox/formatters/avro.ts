/** Avro with a schema of the registry, in Confluent's wire format. */
import avro from 'avsc';
import { refuseEvent } from '../outbox-event.ts';
import { type RegistryFormatterOptions, schemaFor } from '../registry/registry-options.ts';
import { wireFormat } from '../registry/wire-format.ts';
import type { EventFormatter } from './event-formatter.ts';

const TYPES_MAX = 1_000;

/** Rejects with EVENT_REFUSED (`schema`) when the payload does not fit; faults of the registry come through, verdict `retry`. */
export function avroFormatter(options: RegistryFormatterOptions): EventFormatter {
  const types = new Map<string, avro.Type>();
  const typeOf = (schema: string): avro.Type => {
    const known = types.get(schema);
    if (known) return known;
    const type = avro.Type.forSchema(JSON.parse(schema));
    if (types.size >= TYPES_MAX) types.clear();
    types.set(schema, type);
    return type;
  };
  return {
    async format(event) {
      const headers = { 'content-type': 'application/vnd.confluent.avro' };
      if (event.payload === null) return { value: null, headers };
      const { id, schema } = await schemaFor(options, 'AVRO', event);
      const type = typeOf(schema);
      if (!type.isValid(event.payload)) {
        throw refuseEvent(
          'schema',
          `the payload of an event does not fit Avro schema ${id}${wrongAt(type, event.payload)}`,
        );
      }
      return { value: wireFormat(id, type.toBuffer(event.payload)), headers };
    },
  };
}

/** Where, without what: paths name fields, values stay out. */
function wrongAt(type: avro.Type, payload: unknown): string {
  const paths: string[] = [];
  type.isValid(payload, { errorHook: (path) => paths.push(path.join('.')) });
  return paths.length === 0 ? '' : `: ${paths.slice(0, 5).join(', ')}`;
}
