/**
 * Kafka's markers for a writer that begins a term, so that it can tell a database that went back. The writer does not need
 * Kafka otherwise: when it does not answer soon, the term begins without the look, and says so.
 */
import { createKafkaPort } from '#kafka-delivery';
import { asRelayError, withDeadline } from '#runtime';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import type { Service } from '../wiring/service.ts';

/** A take-over waits no longer than this for Kafka. */
const DEADLINE_MS = 2_000;

/** Null when the markers cannot be read. */
export async function lookAtMarkers(
  { config, logger }: Service,
  source: string,
  lanes: readonly number[],
): Promise<ReadonlyMap<number, number> | null> {
  const port = createKafkaPort(kafkaOptions(config, logger));
  try {
    return await withDeadline(port.readMarkers('lane', lanes), DEADLINE_MS, 'looking at the markers');
  } catch (thrown) {
    const { code, message } = asRelayError(thrown);
    const facts = { event: 'markers-not-seen', source, code, reason: message };
    logger.warn(facts, 'term begins without a look at the markers: a database that went back would not be noticed');
    return null;
  } finally {
    await port.close();
  }
}
