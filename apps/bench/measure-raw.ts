/** Raw kafkajs `producer.send` of the same messages: the best of two ways to batch, with and without our headers. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTestTopic } from '#testkit';
import { PARTITIONS } from './scene.ts';

const run = promisify(execFile);
const CHILD = fileURLToPath(new URL('raw-producer.child.ts', import.meta.url));
const DEADLINE_MS = 300_000;

const WAYS = [
  { batchRows: 500, concurrent: 1 },
  { batchRows: 2_000, concurrent: 4 },
] as const;
const KINDS = ['plain', 'headers'] as const;

export interface RawResult {
  readonly name: string;
  readonly kind: (typeof KINDS)[number];
  readonly rowsPerSecond: number;
  readonly cpuUsPerRow: number;
  readonly peakMb: number;
}

export async function measureRaw(bootstrap: string, rows: number): Promise<RawResult[]> {
  const results: RawResult[] = [];
  for (const kind of KINDS) {
    for (const { batchRows, concurrent } of WAYS) {
      const topic = await createTestTopic({ bootstrap, prefix: 'krs_bench_raw', partitions: PARTITIONS });
      try {
        const args = [CHILD, bootstrap, topic.name, String(rows), String(batchRows), String(concurrent), kind];
        const { stdout } = await run(process.execPath, [...process.execArgv, ...args], { timeout: DEADLINE_MS });
        const used = JSON.parse(stdout) as { elapsedMs: number; cpuUs: number; peakMb: number };
        results.push({
          name: `${concurrent} x ${batchRows}`,
          kind,
          rowsPerSecond: (rows * 1_000) / used.elapsedMs,
          cpuUsPerRow: used.cpuUs / rows,
          peakMb: used.peakMb,
        });
      } finally {
        await topic.drop();
      }
    }
  }
  return results;
}

/** The reference that the floors are measured by: the best of all, with headers or without. */
export const bestRaw = (results: readonly RawResult[]): RawResult =>
  results.reduce((best, each) => (each.rowsPerSecond > best.rowsPerSecond ? each : best));
