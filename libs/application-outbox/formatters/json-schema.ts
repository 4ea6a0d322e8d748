/** JSON checked against a JSON Schema of the registry, in Confluent's wire format. */
import { Ajv, type ValidateFunction } from 'ajv';
import { refuseEvent } from '../outbox-event.ts';
import { type RegistryFormatterOptions, schemaFor } from '../registry/registry-options.ts';
import { wireFormat } from '../registry/wire-format.ts';
import type { EventFormatter } from './event-formatter.ts';
import { jsonBytes } from './json.ts';

const VALIDATORS_MAX = 1_000;

/** Rejects with EVENT_REFUSED (`schema`) when the payload does not fit; faults of the registry come through, verdict `retry`. */
export function jsonSchemaFormatter(options: RegistryFormatterOptions): EventFormatter {
  const validators = new Map<string, ValidateFunction>();
  const validatorOf = (schema: string): ValidateFunction => {
    const known = validators.get(schema);
    if (known) return known;
    // A keyword it does not know is the registry's business; one of its own for each schema, as `$id`s may come again.
    const validator = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(schema));
    if (validators.size >= VALIDATORS_MAX) validators.clear();
    validators.set(schema, validator);
    return validator;
  };
  return {
    async format(event) {
      const headers = { 'content-type': 'application/vnd.schemaregistry+json' };
      if (event.payload === null) return { value: null, headers };
      // What is sent is what JSON makes of the payload, so that is what is checked.
      const bytes = jsonBytes(event.payload);
      const { id, schema } = await schemaFor(options, 'JSON', event);
      const validate = validatorOf(schema);
      if (!validate(JSON.parse(Buffer.from(bytes).toString('utf8')))) {
        const at = validate.errors?.slice(0, 5).map(({ instancePath, keyword }) => `${instancePath || '/'} ${keyword}`);
        throw refuseEvent('schema', `the payload of an event does not fit JSON schema ${id}: ${at?.join(', ')}`);
      }
      return { value: wireFormat(id, bytes), headers };
    },
  };
}
