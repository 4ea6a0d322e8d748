/** Checks of settings and database on facts made by hand: what is fine, risky and broken, for what no test server can be made to be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServerFacts } from '#database';
import type { SourceStatus } from '../read-status.ts';
import { CHECKS } from './checks.ts';
import type { Facts } from './facts.ts';
import { facts, proof, server, verdicts, watermarkAt } from './facts-by-hand.ts';

test('a deployment as it should be: every check answers, all of it fine', () => {
  const redis = { version: '7.0.0', maxmemoryPolicy: 'noeviction', maxmemory: 0, usedMemory: 1, role: 'master' };
  const all = facts({ redis });
  for (const { id, look } of CHECKS) {
    const judgements = look(all);
    assert.ok(judgements.length > 0, `${id} says nothing`);
    for (const { verdict, says } of judgements) assert.equal(verdict, 'fine', `${id}: ${says}`);
  }
});

test('names are unique, and where a server is away its checks say nothing', () => {
  assert.equal(new Set(CHECKS.map(({ id }) => id)).size, CHECKS.length);
  const nothing: Facts = { ...facts({}), database: null, relay: null, kafka: null, redis: null };
  const said = CHECKS.filter(({ look }) => look(nothing).length > 0).map(({ id }) => id);
  assert.deepEqual(said, ['settings.delivery']);
});

test('everything that is not fine says what mends it', () => {
  const bad = facts({
    env: { KAFKA_ROW_SENDER_KAFKA_TRANSACTION_TIMEOUT: '60' },
    database: { server: server({ oldestTransaction: { thread: '7', ageMs: 90_000 } }, { read_only: 'ON' }) },
    kafka: { strangers: [{ transactionalId: 'x.y', startedAtMs: 1 }], targets: ['missing'] },
  });
  for (const { id, look } of CHECKS) {
    for (const { verdict, mend } of look(bad)) if (verdict === 'risky' || verdict === 'broken') assert.ok(mend, id);
  }
});

test('settings: at-least-once is risky', () => {
  assert.match(verdicts('settings.delivery', { env: { KAFKA_ROW_SENDER_KAFKA_ACKS: '1' } }), /^risky/);
});

test('database: server settings', () => {
  const variables = (id: string, values: Readonly<Record<string, string>>) =>
    verdicts(id, { database: { server: server({}, values) } });
  assert.equal(variables('database.isolation', { log_bin: 'ON', binlog_format: 'STATEMENT' }), 'broken');
  assert.equal(variables('database.isolation', { log_bin: 'ON', binlog_format: 'ROW' }), 'fine');
  assert.equal(variables('database.isolation', { tx_isolation: 'REPEATABLE-READ' }), 'broken');
  assert.equal(variables('database.isolation', { transaction_isolation: 'READ-COMMITTED' }), 'fine');
  assert.equal(variables('database.read-only', { read_only: 'ON' }), 'broken');
  assert.equal(variables('database.durability', { innodb_flush_log_at_trx_commit: '2' }), 'risky');
  const engine = { ...server().engine, autoIncrementIncrement: 3, statementBytesMax: 1_048_576 };
  const changed = { database: { server: server({ engine }) } };
  assert.equal(verdicts('database.auto-increment', changed), 'risky');
  assert.equal(verdicts('database.max-allowed-packet', changed), 'risky');
  const singlestore = { database: { server: server({ engine: { ...engine, kind: 'singlestore' } }) } };
  assert.equal(verdicts('database.engine', singlestore), 'risky');
  const unknown = { database: { server: server({ engine: { ...engine, kind: 'unknown' } }) } };
  assert.equal(verdicts('database.engine', unknown), 'risky');
});

test('database: purge, open transactions, clock, and what may not be seen', () => {
  const seen = (id: string, changes: Partial<ServerFacts>) => verdicts(id, { database: { server: server(changes) } });
  assert.equal(seen('database.history', { historyLength: 200_000 }), 'risky');
  assert.equal(seen('database.history', { historyLength: null }), 'unknown');
  assert.equal(seen('database.oldest-transaction', { seesTransactions: false }), 'unknown');
  assert.equal(seen('database.oldest-transaction', { oldestTransaction: { thread: '9', ageMs: 5_000 } }), 'fine');
  assert.equal(seen('database.oldest-transaction', { oldestTransaction: { thread: '9', ageMs: 65_000 } }), 'risky');
  assert.equal(seen('database.clock', { clockAheadMs: { value: -9_000, error: 10 } }), 'risky');
});

test('database: gap mode time is risky, and broken while a transaction is open for longer than its grace', () => {
  const { database } = facts({});
  const [source] = database?.sources ?? [];
  assert.ok(source);
  const tried = {
    proof: { ...proof, mode: 'time', reason: 'no canary' } as const,
    graceMs: 60_000,
    graceWarning: null,
    highest: null,
    warnings: [],
  };
  const sources = [{ ...source, tried }];
  assert.equal(verdicts('database.gap-mode', { database: { sources } }), 'risky');
  const oldestTransaction = { thread: '9', ageMs: 61_000 };
  assert.equal(
    verdicts('database.oldest-transaction', { database: { sources, server: server({ oldestTransaction }) } }),
    'broken',
  );
});

test('database: gaps held for more than a minute are risky, with who holds them; a prepared XA transaction has its own end', () => {
  const { relay } = facts({});
  assert.ok(relay);
  const source: SourceStatus = {
    ...{
      name: 'orders',
      table: 'orders',
      mode: 'append' as const,
      configured: true,
      leader: null,
      electedBy: null,
      epoch: 1,
      watermark: 9n,
    },
    ...{ highest: 9n, distance: 0n, gapMode: 'transactions', gapModeReason: null, gapModePromise: null },
    ...{ gaps: null, gapModeBetter: null, problem: null, halted: null, incarnation: 1 },
  };
  const said = (oldestMs: number, connection: string | null, gapMode = 'transactions') => {
    const sources = [{ ...source, gapMode, gaps: { ranges: 1, missing: 3n, oldestMs } }];
    const gapHolders = { transactions: 2, connection, since: '2026-01-01 10:00:00' };
    const all = facts({ relay: { status: { ...relay.status, sources, gapHolders } } });
    const check = CHECKS.find(({ id }) => id === 'database.oldest-transaction');
    return check?.look(all).find(({ about }) => about === 'source orders') ?? null;
  };
  assert.equal(said(59_000, '42'), null);
  const held = said(61_000, '42');
  assert.equal(held?.verdict, 'risky');
  assert.match(held?.says ?? '', /^3 missing ids .* 61 s; held by the transaction of connection 42, open since 2026/);
  assert.match(held?.mend ?? '', /KILL 42/);
  assert.match(said(61_000, null)?.mend ?? '', /XA RECOVER/);
  assert.match(said(61_000, '42', 'locks')?.says ?? '', /who holds them is not known/);
});

test('database: an id to come at or below the watermark is broken', () => {
  const { database } = facts({});
  const [source] = database?.sources ?? [];
  assert.ok(source);
  const watermark = watermarkAt(5n);
  const at = (nextPosition: bigint | null) =>
    verdicts('database.source-position', { database: { sources: [{ ...source, watermark, nextPosition }] } });
  assert.deepEqual([at(6n), at(5n), at(1n), at(null)], ['fine', 'broken', 'broken', 'unknown']);
});
