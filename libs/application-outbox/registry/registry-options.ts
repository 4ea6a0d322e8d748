/** What the formatters with a registry have in common. */
import { type OutboxEvent, topicOf } from '../outbox-event.ts';
import type { SchemaRegistry } from './schema-registry.ts';

export interface RegistryFormatterOptions {
  readonly registry: SchemaRegistry;
  /** Registered under the event's subject when it is not yet; absent: the subject's latest. */
  readonly schema?: object | ((event: OutboxEvent) => object);
  /** Default: `<topic>-value`, as Confluent's TopicNameStrategy. */
  readonly subject?: (event: OutboxEvent) => string;
}

/** Id and text of the schema that an event is written with. */
export function schemaFor(options: RegistryFormatterOptions, kind: 'AVRO' | 'JSON', event: OutboxEvent) {
  const { registry, schema } = options;
  const subject = options.subject?.(event) ?? `${topicOf(event)}-value`;
  if (schema === undefined) return registry.latest(subject, kind);
  return registry.register(subject, kind, JSON.stringify(typeof schema === 'function' ? schema(event) : schema));
}
