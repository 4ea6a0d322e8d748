/** What every LeaderElection must do, run on the fake and on the real lock services. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Doorbell, DoorbellRing, LeaderElection } from '#outbox';
import { systemClock } from '#runtime';
import { until } from '../until.ts';

export interface ElectionHarness {
  readonly name: string;
  /** How long a dead leader's lock may live on. */
  readonly lapseMs: number;
  candidate(doorbell?: Pick<Doorbell, 'ring'>): LeaderElection;
  /** A leader of `source` in another process, to be killed; resolves once it leads. */
  leaderToKill(source: string): Promise<{ kill(): void }>;
  /** Only where the lock service can be played with. */
  readonly service?: {
    isLocked(source: string): Promise<boolean>;
    flush(): Promise<void>;
    steal(source: string): Promise<void>;
    setAway(away: boolean): Promise<void>;
  };
}

let sources = 0;
/** A source no other test has used. */
function freshSource(): string {
  sources += 1;
  return `source_${process.pid}_${sources}`;
}

const POLL_MS = 1000;

async function lead(candidate: LeaderElection, source: string, deadlineMs = 3000) {
  return until('to be elected', () => candidate.tryAcquire(source), deadlineMs);
}

type Stand = ElectionHarness['candidate'];
type Check = (title: string, body: (source: string, stand: Stand) => Promise<void>) => void;

/** Every candidate is closed even when the test fails: its connection would keep the file running. */
function checkWith(harness: ElectionHarness): Check {
  return (title, body) =>
    test(`${harness.name}: ${title}`, async () => {
      const stood: LeaderElection[] = [];
      const stand: Stand = (doorbell) => {
        const candidate = harness.candidate(doorbell);
        stood.push(candidate);
        return candidate;
      };
      try {
        await body(freshSource(), stand);
      } finally {
        await Promise.all(stood.map((candidate) => candidate.close()));
      }
    });
}

export function electionContract(harness: ElectionHarness): void {
  const check = checkWith(harness);
  handoverContract(harness, check);

  check('of two candidates one leads, and each source has its own leader', async (source, stand) => {
    const [first, second] = [stand(), stand()];
    const other = `${source}_other`;
    const terms = await Promise.all([first.tryAcquire(source), second.tryAcquire(source)]);
    const won = terms.filter((term) => term !== null);
    assert.equal(won.length, 1);
    assert.equal(await first.tryAcquire(source), null, 'a leader is not elected twice');
    assert.equal(await second.tryAcquire(source), null);
    await lead(terms[0] === null ? first : second, other);
    assert.equal(won[0]?.signal.aborted, false);
  });

  check('a leader keeps its lock far beyond the lapse time', async (source, stand) => {
    const [first, second] = [stand(), stand()];
    const term = await lead(first, source);
    const startedMs = systemClock.nowMs();
    while (systemClock.nowMs() - startedMs < harness.lapseMs * 2) {
      assert.equal(await second.tryAcquire(source), null);
      await systemClock.sleep(50);
    }
    assert.equal(term.signal.aborted, false);
  });

  if (harness.service) serviceContract(harness, harness.service, check);
}

function handoverContract(harness: ElectionHarness, check: Check): void {
  check('a release ends the term, rings, and lets the other in at once', async (source, stand) => {
    const rings: DoorbellRing[] = [];
    const first = stand({
      ring: (ring) => void rings.push(ring),
    });
    const second = stand();
    const term = await lead(first, source);
    assert.equal(await second.tryAcquire(source), null);
    await Promise.all([term.release(), term.release()]);
    assert.equal(term.signal.aborted, true);
    assert.deepEqual(rings, [{ kind: 'leader-gone', source }]);
    assert.ok(await second.tryAcquire(source), 'free right after the release');
    assert.equal(await first.tryAcquire(source), null);
  });

  check('close releases what is held and elects nobody any more', async (source, stand) => {
    const [first, second] = [stand(), stand()];
    const term = await lead(first, source);
    await first.close();
    assert.equal(term.signal.aborted, true);
    assert.equal(await first.tryAcquire(source), null);
    assert.ok(await second.tryAcquire(source));
  });

  check('a killed leader is followed within its lapse time and one second', async (source, stand) => {
    const standby = stand();
    const leader = await harness.leaderToKill(source);
    assert.equal(await standby.tryAcquire(source), null);
    const startedMs = systemClock.nowMs();
    leader.kill();
    await lead(standby, source, harness.lapseMs + POLL_MS);
    assert.ok(systemClock.nowMs() - startedMs <= harness.lapseMs + POLL_MS);
  });
}

function serviceContract(
  harness: ElectionHarness,
  service: NonNullable<ElectionHarness['service']>,
  check: Check,
): void {
  check(
    'I7: while the service does not answer the leader goes on and nobody else is elected',
    async (source, stand) => {
      const [first, second] = [stand(), stand()];
      const term = await lead(first, source);
      await second.tryAcquire(source);
      await service.setAway(true);
      const startedMs = systemClock.nowMs();
      while (systemClock.nowMs() - startedMs < harness.lapseMs * 2) {
        assert.equal(await second.tryAcquire(source), null);
        assert.equal(term.signal.aborted, false);
        await systemClock.sleep(50);
      }
      await service.setAway(false);
      await until('the lock to be taken again', () => service.isLocked(source), 3000);
      assert.equal(term.signal.aborted, false, 'the leader was the first one back');
      assert.equal(await second.tryAcquire(source), null);
    },
  );

  check('I7: an emptied service is taken again by the leader', async (source, stand) => {
    const [first, second] = [stand(), stand()];
    const term = await lead(first, source);
    await service.flush();
    await until('the lock to be taken again', () => service.isLocked(source), harness.lapseMs);
    assert.equal(term.signal.aborted, false);
    assert.equal(await second.tryAcquire(source), null);
  });

  check('I2: a lock that somebody else took ends the term and is left alone', async (source, stand) => {
    const first = stand();
    const term = await lead(first, source);
    await service.steal(source);
    await until('the signal to abort', () => term.signal.aborted, harness.lapseMs);
    await term.release();
    assert.equal(await service.isLocked(source), true, "the release did not touch the other one's lock");
    assert.equal(await first.tryAcquire(source), null);
  });
}
