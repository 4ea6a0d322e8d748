/** Jobs on a redis-server of the test's own, which it empties, pauses, kills and restarts. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { createJobs, type DueJob, type JobData, type JobHandlers, type JobKind, type Jobs } from '#jobs';
import { targetOf } from '#redis';
import { RelayError, silentLogger, systemClock } from '#runtime';
import { type OwnRedis, startOwnRedis, until } from '#testkit';

const RECONCILE_MS = 200;
let server: OwnRedis;
before(async () => {
  server = await startOwnRedis();
});
after(() => server.stop());

const open: Jobs[] = [];
afterEach(async () => {
  for (const jobs of open.splice(0)) await jobs.stop(2000);
});

interface Ran {
  readonly kind: JobKind;
  readonly data: JobData;
}

let prefixes = 0;
function freshPrefix(): string {
  prefixes += 1;
  return `krs-test:${process.pid}-${prefixes}`;
}

function setUp(handlers: Partial<JobHandlers> = {}, prefix = freshPrefix()) {
  const ran: Ran[] = [];
  const due: DueJob[] = [];
  const record = (kind: JobKind) => async (data: JobData) => void ran.push({ kind, data });
  const jobs = createJobs({
    redis: targetOf(server.url),
    prefix,
    logger: silentLogger,
    handlers: {
      'retry-due': record('retry-due'),
      'refresh-markers': record('refresh-markers'),
      cleanup: record('cleanup'),
      verify: record('verify'),
      ...handlers,
    },
    reconcile: async () => due,
    reconcileIntervalMs: RECONCILE_MS,
  });
  open.push(jobs);
  return { jobs, ran, due, prefix };
}

test('a job of each kind reaches its handler with its data', async () => {
  const { jobs, ran } = setUp();
  jobs.start();
  assert.equal(await jobs.add('retry-due', { lanes: [1, 1023] }), 'queued');
  await jobs.add('refresh-markers', {});
  await jobs.add('cleanup', {});
  await jobs.add('verify', { source: 'orders' });
  await until('all four', () => ran.length === 4, 5000);
  assert.deepEqual(ran.find(({ kind }) => kind === 'retry-due')?.data, { lanes: [1, 1023] });
  assert.deepEqual(ran.find(({ kind }) => kind === 'verify')?.data, { source: 'orders' });
});

test('a key holds one job, a delay is kept, and adding again moves it', async () => {
  const { jobs, ran } = setUp();
  jobs.start();
  const startedMs = systemClock.nowMs();
  for (let round = 0; round < 5; round += 1) await jobs.add('cleanup', {}, { dedupeKey: 'cleanup', delayMs: 60_000 });
  await jobs.add('cleanup', {}, { dedupeKey: 'cleanup', delayMs: 400 });
  await until('the job', () => ran.length > 0, 5000);
  assert.ok(systemClock.nowMs() - startedMs >= 400);
  // The handler is done a moment before the job is, and until then the key is still held.
  const addNext = async () => {
    if (ran.length === 1) await jobs.add('verify', {}, { dedupeKey: 'cleanup' });
    return ran.length > 1;
  };
  await until('the next job: a finished one does not hold its key', addNext, 5000);
  assert.deepEqual(
    ran.slice(0, 2).map(({ kind }) => kind),
    ['cleanup', 'verify'],
  );
});

test('two workers share jobs and run each once', async () => {
  const one = setUp();
  const other = setUp({}, one.prefix);
  one.jobs.start();
  other.jobs.start();
  for (let lane = 0; lane < 100; lane += 1) await one.jobs.add('retry-due', { lanes: [lane] });
  await until('all', () => one.ran.length + other.ran.length >= 100, 10_000);
  const lanes = [...one.ran, ...other.ran].flatMap(({ data }) => data.lanes ?? []);
  assert.equal(new Set(lanes).size, 100);
  assert.equal(lanes.length, 100);
});

test('a fault is tried again, a fatal one is not', async () => {
  let faults = 0;
  let fatal = 0;
  const { jobs } = setUp({
    cleanup: async () => {
      faults += 1;
      if (faults < 2) throw new RelayError('DB_TRANSIENT', 'a fault that passes');
    },
    verify: async () => {
      fatal += 1;
      throw new Error('a defect');
    },
  });
  jobs.start();
  await jobs.add('verify', {}, { dedupeKey: 'v' });
  await jobs.add('cleanup', {});
  await until('the second attempt', () => faults === 2, 10_000);
  assert.equal(fatal, 1);
});

test('I7: an emptied Redis costs one interval', async () => {
  const { jobs, ran, due } = setUp();
  jobs.start();
  await jobs.add('retry-due', { lanes: [1] }, { dedupeKey: 'retry 1', delayMs: 300 });
  await server.flush();
  due.push({ kind: 'retry-due', data: { lanes: [1] }, dedupeKey: 'retry 1' });
  await until('the job, found due again', () => ran.length > 0, RECONCILE_MS + 3000);
  assert.deepEqual(ran[0], { kind: 'retry-due', data: { lanes: [1] } });
});

test('I7: while Redis is away nothing throws, afterwards due jobs run again', async () => {
  const { jobs, ran, due } = setUp();
  jobs.start();
  await jobs.add('cleanup', {});
  await until('the first', () => ran.length === 1, 5000);
  await server.kill();
  await until('to notice', async () => (await jobs.add('cleanup', {})) === 'away', 3000);
  const startedMs = systemClock.nowMs();
  assert.equal(await jobs.add('cleanup', {}), 'away');
  assert.ok(systemClock.nowMs() - startedMs < 200, 'an add without Redis does not wait');
  due.push({ kind: 'verify', data: {}, dedupeKey: 'verify' });
  await server.restart();
  await until('the due job', () => ran.some(({ kind }) => kind === 'verify'), 10_000);
});

test('I7: a job that ends while Redis is away is reported, and the worker goes on', async () => {
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  const { jobs, ran, due } = setUp({
    verify: async () => {
      begun += 1;
      await gate.promise;
    },
  });
  jobs.start();
  await jobs.add('verify', {});
  await until('the job to run', () => begun === 1, 5000);
  await server.kill();
  gate.resolve();
  await server.restart();
  due.push({ kind: 'cleanup', data: {}, dedupeKey: 'cleanup' });
  await until('the next job', () => ran.length > 0, 10_000);
});

test("stop aborts the jobs' signals and keeps its deadline even when they do not listen", async () => {
  let signalled = false;
  let begun = 0;
  const { jobs } = setUp({
    cleanup: async (_, { signal, progress }) => {
      await progress(50);
      begun += 1;
      signal.addEventListener('abort', () => {
        signalled = true;
      });
      await new Promise(() => undefined);
    },
  });
  jobs.start();
  await jobs.add('cleanup', {});
  await until('the job to run', () => begun === 1, 5000);
  const startedMs = systemClock.nowMs();
  await jobs.stop(500);
  assert.equal(signalled, true);
  assert.ok(systemClock.nowMs() - startedMs < 1500);
});

for (const [state, break_, mend] of [
  ['is dead', () => server.kill(), () => server.restart()],
  ['hangs', async () => server.pause(), async () => server.resume()],
] as const) {
  test(`stop keeps its deadline while Redis ${state}`, async () => {
    const { jobs, ran } = setUp();
    jobs.start();
    await jobs.add('cleanup', {});
    await until('the first', () => ran.length === 1, 5000);
    await break_();
    const startedMs = systemClock.nowMs();
    await jobs.stop(500);
    assert.ok(systemClock.nowMs() - startedMs < 1500);
    await mend();
  });

  test(`jobs can be started and stopped while Redis ${state}`, async () => {
    await break_();
    const { jobs } = setUp();
    jobs.start();
    assert.equal(await jobs.add('cleanup', {}), 'away');
    const startedMs = systemClock.nowMs();
    await jobs.stop(500);
    assert.ok(systemClock.nowMs() - startedMs < 1500);
    await mend();
  });
}

test('a database that cannot say what is due is asked again', async () => {
  let asked = 0;
  const jobs = createJobs({
    redis: targetOf(server.url),
    prefix: `krs-test-${process.pid}-asked`,
    logger: silentLogger,
    handlers: { 'retry-due': noJob, 'refresh-markers': noJob, cleanup: noJob, verify: noJob },
    reconcile: async () => {
      asked += 1;
      throw new RelayError('DB_UNREACHABLE', 'no database');
    },
    reconcileIntervalMs: 20,
  });
  open.push(jobs);
  jobs.start();
  await until('to be asked again', () => asked >= 3, 3000);
});

async function noJob(): Promise<void> {}

test('data that could carry a payload is refused when added, and dropped when a stranger added it', async () => {
  const { jobs, ran, prefix } = setUp();
  const payload = { lanes: [1], payload: 'secret' } as JobData;
  await assert.rejects(
    jobs.add('cleanup', payload),
    (error) => error instanceof RelayError && error.code === 'INTERNAL',
  );
  const { Queue } = await import('bullmq');
  const redis = server.client();
  const queue = new Queue(`${prefix.replace(':', '-')}-jobs`, { connection: redis, prefix });
  await queue.add('cleanup', payload);
  await queue.add('from-the-future', {});
  await queue.close();
  jobs.start();
  await jobs.add('cleanup', {});
  await until('the good one', () => ran.length === 1, 5000);
  assert.deepEqual(ran, [{ kind: 'cleanup', data: {} }]);
  const keys = await redis.keys('*');
  assert.ok(
    keys.filter((key) => key.includes('-jobs')).every((key) => key.startsWith('krs-test')),
    keys.join(),
  );
});
