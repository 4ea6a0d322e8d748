/** The source table as a round leaves it, for the history: what a reader must have seen by then. */
import { type HistoryWriter, SAMPLE_KEY, SAMPLE_SEQUENCE, SAMPLE_WATERMARK, sampleToken } from '#testkit';
import { type Scene, TABLE } from './scene.ts';

const PAGE_ROWS = 10_000;

/** The load must have ended. */
export async function writeTable(scene: Scene, history: HistoryWriter): Promise<void> {
  await scene.load.stop();
  for (let after = 0; ; ) {
    const rows = await scene.ask<{ id: number; key: string; sequence: number }>(
      `SELECT ${SAMPLE_WATERMARK} AS id, ${SAMPLE_KEY} AS \`key\`, ${SAMPLE_SEQUENCE} AS sequence FROM ${TABLE} WHERE ${SAMPLE_WATERMARK} > ? ORDER BY id LIMIT ${PAGE_ROWS}`,
      [after],
    );
    for (const { id, key, sequence } of rows) {
      history.row({ id: String(id), key, token: sampleToken({ key, sequence }), version: 1, promised: true });
    }
    if (rows.length < PAGE_ROWS) return;
    after = rows.at(-1)?.id ?? after;
  }
}
