/** The demo's verdict: the product's own `verify`, and beside it the application's ledger, which knows the order of its commits. */
import { loadConfig } from '#config';
import { connectKafka, readTopics } from '#kafka-delivery';
import { silentLogger } from '#runtime';
import { type Deployment, type Ledger, LedgerCheck, type LedgerResult } from '#testkit';
import { kafkaOptions } from '../wiring/open-kafka.ts';
import { SEQUENCE_COLUMN } from './flights.ts';

export interface Verdict {
  readonly passed: boolean;
  /** `delivered N of N: 0 missing, 0 duplicated, 0 out of order`. */
  readonly line: string;
  /** What else `verify` said. */
  readonly findings: readonly string[];
  readonly ledger: LedgerResult;
}

const RESULT = /^delivered \d+ of \d+: /;
const WAIT_SECONDS = 60;

export async function check(deployment: Deployment, ledger: Ledger): Promise<Verdict> {
  const { code, output } = await deployment.cli('verify', '--wait', String(WAIT_SECONDS));
  const lines = output.split('\n');
  const line = lines.findLast((each) => RESULT.test(each)) ?? `verify ended with ${code} and no result`;
  const compared = await compareWithLedger(deployment, ledger);
  const { missing, duplicated, outOfOrder, uncommitted } = compared;
  const agrees = missing + duplicated + outOfOrder + uncommitted === 0;
  const complete = line.startsWith(`delivered ${ledger.rows} of ${ledger.rows}: `);
  return {
    passed: code === 0 && agrees && complete,
    line,
    findings: lines.filter((each) => each !== line && each !== ''),
    ledger: compared,
  };
}

/** Reads the topic `read_committed`, a part at a time. */
async function compareWithLedger(deployment: Deployment, ledger: Ledger): Promise<LedgerResult> {
  const { config } = loadConfig({ env: deployment.env });
  const comparison = new LedgerCheck();
  const topics = readTopics(connectKafka(kafkaOptions(config, silentLogger)), {
    topics: [deployment.topic],
    withValues: true,
    to: 'written',
  });
  for await (const { records } of topics) {
    for (const { key, value } of records) {
      const row = JSON.parse(value?.toString() ?? '{}') as Record<string, unknown>;
      comparison.record(key?.toString() ?? '', Number(row[SEQUENCE_COLUMN]));
    }
  }
  return comparison.result(ledger);
}
