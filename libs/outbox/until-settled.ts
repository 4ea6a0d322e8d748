/** Waits until Kafka has written for good what it acknowledged; a broker may lose what it has only acknowledged (KAFKA-20734). */
import type { Clock } from '#runtime';
import type { KafkaPort } from './ports.ts';

const PAUSE_MS = 10;

/** False when a marker is still below the wanted value after `markerSettleMs`: only a fresh session can tell why. */
export async function untilSettled(
  options: { readonly kafka: KafkaPort; readonly clock: Clock; readonly markerSettleMs: number },
  kind: 'lane' | 'retry',
  wanted: ReadonlyMap<number, number>,
): Promise<boolean> {
  if (wanted.size === 0) return true;
  const deadlineMs = options.clock.nowMs() + options.markerSettleMs;
  for (;;) {
    const markers = await options.kafka.settledMarkers(kind, [...wanted.keys()]);
    if (markers === null) return true;
    if ([...wanted].every(([lane, value]) => (markers.get(lane) ?? -1) >= value)) return true;
    if (options.clock.nowMs() >= deadlineMs) return false;
    await options.clock.sleep(PAUSE_MS);
  }
}
