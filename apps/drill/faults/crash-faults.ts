/** Processes that SIGKILL themselves exactly between two steps of the protocol. */
import { systemClock } from '#runtime';
import type { Fault, Injection } from '../fault.ts';
import type { Scene } from '../scene.ts';
import type { Kind } from '../slot.ts';

interface CrashPlace {
  readonly point: string;
  readonly kind: Kind;
  readonly what: string;
  /** It is passed once in a process's life or so, not with every batch: only the first pass is sure to come. */
  readonly rare?: boolean;
}

const REACHED_DEADLINE_MS = 180_000;
const BATCHES_MAX = 20;

export const CRASH_PLACES: readonly CrashPlace[] = [
  { kind: 'writer', point: 'writer-after-term', what: 'term begun, nothing read yet', rare: true },
  { kind: 'writer', point: 'writer-before-append', what: 'rows read, nothing written' },
  { kind: 'writer', point: 'writer-after-cas', what: 'watermark moved, rows not inserted' },
  { kind: 'writer', point: 'writer-before-commit', what: 'rows inserted, not committed' },
  { kind: 'writer', point: 'writer-after-append', what: 'committed, doorbell not rung' },
  { kind: 'sender', point: 'sender-after-claim', what: 'lane claimed, former holder not fenced', rare: true },
  { kind: 'sender', point: 'sender-after-fence', what: 'former holders fenced, marker not read', rare: true },
  { kind: 'sender', point: 'kafka-after-open', what: 'own former session fenced, leases not renewed', rare: true },
  { kind: 'sender', point: 'sender-after-markers', what: 'markers read, nothing sent', rare: true },
  { kind: 'sender', point: 'sender-before-transact', what: 'rows read, Kafka transaction not begun' },
  { kind: 'sender', point: 'kafka-after-send', what: 'records sent, markers not added' },
  { kind: 'sender', point: 'kafka-after-markers', what: 'markers added, records perhaps not' },
  { kind: 'sender', point: 'kafka-before-commit', what: 'records and markers sent, not committed' },
  { kind: 'sender', point: 'kafka-after-commit', what: 'committed, nothing else known' },
  { kind: 'sender', point: 'sender-after-transact', what: 'delivered, rows not deleted' },
  { kind: 'sender', point: 'sender-in-delete', what: 'rows deleted, delivered id not moved, nothing committed' },
];

async function crash(scene: Scene, place: CrashPlace): Promise<Injection> {
  const { chance } = scene;
  const ofKind = place.kind === 'writer' ? scene.writers() : scene.senders();
  const slot = chance.pick(ofKind);
  const pass = place.rare ? 1 : chance.integer(1, BATCHES_MAX);
  const crashed = slot.crashNext({ KRS_CRASH_AT: `${place.point}:${pass}` });
  await slot.kill();
  // The place lies in a leader's life: all others make way.
  const others = place.kind === 'writer' ? ofKind.filter((other) => other !== slot) : [];
  const release = others.map((other) => other.vacate());
  const late = new AbortController();
  try {
    await Promise.all(others.map((other) => other.kill()));
    const gaveUp = systemClock.sleep(REACHED_DEADLINE_MS, late.signal).then(() => null);
    const exit = await Promise.race([crashed, gaveUp]);
    if (exit?.signal !== 'SIGKILL') throw new Error(`${slot.name} did not come to ${place.point}:\n${slot.output()}`);
  } finally {
    late.abort();
    for (const open of release) open();
  }
  return { detail: `${slot.name} at pass ${pass}`, kills: 2 + others.length };
}

export const CRASH_FAULTS: readonly Fault[] = CRASH_PLACES.map((place) => ({
  name: `crash-${place.point}`,
  what: `SIGKILL of a ${place.kind} between two steps: ${place.what}.`,
  expected:
    place.kind === 'writer' ? 'The next term begins where the watermark stands.' : 'The marker tells the taker.',
  targets: [place.kind === 'writer' ? 'writers' : 'senders'],
  inject: (scene) => crash(scene, place),
}));
