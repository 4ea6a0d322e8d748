/** How far the rows are, by the relay's own tables: what `status` shows in short. */
import type { Deployment, LoadProgress } from '#testkit';

export interface Look {
  readonly committed: number;
  readonly rolledBack: number;
  readonly moved: number;
  readonly waiting: number;
  /** Moved and no longer in the outbox, so in Kafka. */
  readonly delivered: number;
  readonly leader: string | null;
  readonly epoch: number;
  readonly gaps: number;
  /** Instance id -> lanes it holds. */
  readonly lanes: ReadonlyMap<string, readonly number[]>;
}

interface Watermark {
  readonly next_sequence: number;
  readonly epoch: number;
  readonly leader: string | null;
}

export async function look(deployment: Deployment, progress: LoadProgress | null): Promise<Look> {
  // In this order a row that is moved meanwhile counts as waiting: never too many are called delivered.
  const [watermark] = await deployment.query<Watermark>('SELECT * FROM kafka_row_sender_watermark');
  const [gaps] = await deployment.query<{ ranges: number }>(
    'SELECT COALESCE(SUM(ranges), 0) AS ranges FROM kafka_row_sender_gap',
  );
  const [outbox] = await deployment.query<{ rows: number }>('SELECT COUNT(*) AS `rows` FROM kafka_row_sender_outbox');
  const held = await deployment.query<{ lane: number; holder: string }>(
    'SELECT lane, holder FROM kafka_row_sender_lane WHERE holder IS NOT NULL ORDER BY lane',
  );
  const lanes = new Map<string, number[]>();
  for (const { lane, holder } of held) {
    const name = holder.slice(deployment.name.length + 1);
    lanes.set(name, [...(lanes.get(name) ?? []), lane]);
  }
  const moved = watermark === undefined ? 0 : Number(watermark.next_sequence) - 1;
  const waiting = Number(outbox?.rows ?? 0);
  return {
    committed: progress?.committedRows ?? 0,
    rolledBack: progress?.rolledBackRows ?? 0,
    moved,
    waiting,
    delivered: Math.max(0, moved - waiting),
    leader: watermark?.leader ?? null,
    epoch: Number(watermark?.epoch ?? 0),
    gaps: Number(gaps?.ranges ?? 0),
    lanes,
  };
}
