/** A Redis that refuses: nobody floods it or the log, and what was refused is taken up again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRedisDoorbell } from '#doorbell';
import { createJobs } from '#jobs';
import { targetOf } from '#redis';
import { type Logger, silentLogger, systemClock } from '#runtime';
import { type OwnRedis, startOwnRedis, until } from '#testkit';

const WATCHED_MS = 4_000;
let server: OwnRedis;
let admin: ReturnType<OwnRedis['client']>;
before(async () => {
  server = await startOwnRedis();
  admin = server.client();
});
after(() => server.stop());

const setUser = (...rules: readonly string[]) => admin.call('ACL', 'SETUSER', 'poor', ...rules);
const target = () => targetOf(server.url.replace('//', '//poor:pw@'));

interface Said {
  readonly event?: string;
  readonly command?: string;
  readonly refused?: number;
}

function recorder(): { readonly lines: Said[]; readonly logger: Logger } {
  const lines: Said[] = [];
  const record = (facts: object) => void lines.push(facts);
  return { lines, logger: { ...silentLogger, info: record, warn: record, error: record } };
}

/** Commands and connections that the server has seen. */
async function seen(): Promise<number> {
  const info = await admin.info('stats');
  const numberOf = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1]);
  return numberOf('total_commands_processed') + numberOf('total_connections_received');
}

test('a refused SUBSCRIBE and PUBLISH are said once and asked for rarely; granted, rings are heard again', async () => {
  await setUser('reset', 'on', '>pw', '~*', '&*', '+@all', '-subscribe', '-publish');
  const { lines, logger } = recorder();
  const doorbell = createRedisDoorbell({ redis: target(), prefix: 'refused', logger });
  const refusals = () => lines.filter(({ event }) => event === 'redis-refuses').map(({ command }) => command);
  doorbell.ring({ kind: 'lanes-changed' });
  await until('both to be refused', () => refusals().length === 2, 5000);
  const before = await seen();
  const endMs = systemClock.nowMs() + WATCHED_MS;
  while (systemClock.nowMs() < endMs) await systemClock.sleep(50);
  assert.ok((await seen()) - before < 15, `${(await seen()) - before} commands and connections in 4 s`);
  assert.deepEqual(refusals().sort(), ['PUBLISH', 'SUBSCRIBE']);
  assert.equal(lines.length, 2, JSON.stringify(lines));
  await setUser('+subscribe', '+publish');
  const numsub = async () => Number(((await admin.pubsub('NUMSUB', 'refused:doorbell')) as unknown[])[1]);
  await until('to be subscribed', async () => (await numsub()) === 1, 20_000);
  await until(
    'to say so, with the count',
    () =>
      lines.some(
        ({ event, command, refused }) => event === 'redis-takes' && command === 'SUBSCRIBE' && Number(refused) >= 2,
      ),
    3000,
  );
  await doorbell.close();
});

const noJob = async () => undefined;
const handlers = { 'retry-due': noJob, 'refresh-markers': noJob, cleanup: noJob, verify: noJob };

for (const [title, rules, begin, end] of [
  ['a user without rights', ['-@all', '+ping'], async () => undefined, async () => undefined],
  ['memory is used up', [], () => admin.config('SET', 'maxmemory', '1'), () => admin.config('SET', 'maxmemory', '0')],
] as const) {
  test(`background jobs are refused (${title}): few commands, few lines, an end in time`, async () => {
    await setUser('reset', 'on', '>pw', '~*', '&*', '+@all', ...rules);
    await begin();
    const { lines, logger } = recorder();
    const due = [{ kind: 'cleanup', data: {}, dedupeKey: 'c' }] as const;
    const jobs = createJobs({
      redis: target(),
      prefix: 'refused',
      logger,
      handlers,
      reconcile: async () => due,
      reconcileIntervalMs: 500,
    });
    try {
      jobs.start();
      await until('to be refused', () => lines.some(({ event }) => event === 'redis-refuses'), 5000);
      const before = await seen();
      const endMs = systemClock.nowMs() + WATCHED_MS;
      while (systemClock.nowMs() < endMs) await systemClock.sleep(50);
      const sent = (await seen()) - before;
      assert.ok(sent < 120, `${sent} commands and connections in 4 s`);
      assert.ok(lines.length <= 4, JSON.stringify(lines));
      const stoppingMs = systemClock.nowMs();
      await jobs.stop(500);
      assert.ok(systemClock.nowMs() - stoppingMs < 3000);
    } finally {
      await end();
      await jobs.stop(500);
    }
  });
}
