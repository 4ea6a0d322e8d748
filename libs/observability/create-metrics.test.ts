/** The names others build dashboards and alerts on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './create-metrics.ts';

async function shown(metrics: ReturnType<typeof createMetrics>): Promise<string[]> {
  return (await metrics.render()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('a writer shows leadership, position and pace', async () => {
  const metrics = createMetrics({ writer: true, sender: false });
  metrics.writer.leader('orders', true);
  metrics.writer.epoch('orders', 7);
  metrics.writer.watermark('orders', 123456789n);
  metrics.writer.openGaps('orders', 2);
  metrics.writer.moved('orders', 500, 3);
  metrics.writer.appendMs('orders', 12);
  metrics.writer.retry('DB_TRANSIENT');
  metrics.writer.fenced();
  metrics.sender.lanesHeld(4);
  const lines = await shown(metrics);
  for (const line of [
    'kafka_row_sender_leader{source="orders"} 1',
    'kafka_row_sender_epoch{source="orders"} 7',
    'kafka_row_sender_watermark{source="orders"} 123456789',
    'kafka_row_sender_open_gaps{source="orders"} 2',
    'kafka_row_sender_moved_rows_total{source="orders"} 500',
    'kafka_row_sender_moved_late_rows_total{source="orders"} 3',
    'kafka_row_sender_append_seconds_sum{source="orders"} 0.012',
    'kafka_row_sender_retries_total{role="writer",code="DB_TRANSIENT"} 1',
    'kafka_row_sender_fenced_total{role="writer"} 1',
  ]) {
    assert.ok(lines.includes(line), line);
  }
  assert.ok(!lines.some((line) => line.includes('lanes_held')), 'nothing of the other role');
  assert.ok(lines.some((line) => line.startsWith('kafka_row_sender_process_cpu_seconds_total')));
});

test('a writer that no longer leads shows no position', async () => {
  const metrics = createMetrics();
  metrics.writer.leader('orders', true);
  metrics.writer.watermark('orders', 5n);
  metrics.writer.epoch('orders', 5);
  metrics.writer.openGaps('orders', 5);
  metrics.writer.leader('orders', false);
  const lines = (await shown(metrics)).filter((line) => line.includes('orders'));
  assert.deepEqual(lines, ['kafka_row_sender_leader{source="orders"} 0']);
});

test('a sender shows backlog, deliveries and faults', async () => {
  const metrics = createMetrics({ writer: false, sender: true });
  metrics.sender.backlog('orders', 10, 1500);
  metrics.sender.backlog('invoices', 0, null);
  metrics.sender.delivered({ rows: 100, bytes: 30_000, transactionMs: 13 });
  metrics.sender.delivered({ rows: 1, bytes: 300, transactionMs: 7 });
  metrics.sender.retry('KAFKA_UNREACHABLE');
  metrics.sender.fenced();
  metrics.sender.lanesHeld(4);
  metrics.sender.lanesHalted(1);
  metrics.sender.rowDead();
  metrics.sender.aside({ retrying: 2, parked: 1, waiting: 7, dead: 3 });
  metrics.sender.blockedTargets(2, 5_000);
  const lines = await shown(metrics);
  for (const line of [
    'kafka_row_sender_backlog_rows{source="orders"} 10',
    'kafka_row_sender_backlog_oldest_age_seconds{source="orders"} 1.5',
    'kafka_row_sender_backlog_oldest_age_seconds{source="invoices"} 0',
    'kafka_row_sender_delivered_rows_total 101',
    'kafka_row_sender_delivered_bytes_total 30300',
    'kafka_row_sender_batch_rows_count 2',
    'kafka_row_sender_batch_bytes_sum 30300',
    'kafka_row_sender_transaction_seconds_sum 0.02',
    'kafka_row_sender_retries_total{role="sender",code="KAFKA_UNREACHABLE"} 1',
    'kafka_row_sender_fenced_total{role="sender"} 1',
    'kafka_row_sender_lanes_held 4',
    'kafka_row_sender_lanes_halted 1',
    'kafka_row_sender_dead_letters_total 1',
    'kafka_row_sender_aside_rows{state="parked"} 1',
    'kafka_row_sender_aside_rows{state="waiting"} 7',
    'kafka_row_sender_blocked_targets 2',
    'kafka_row_sender_blocked_targets_oldest_age_seconds 5',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});
