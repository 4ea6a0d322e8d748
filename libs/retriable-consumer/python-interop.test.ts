/**
 * With the real retriable-kafka-client 0.7.0 from PyPI, both ways: chunks split there are joined here and the reverse,
 * retries scheduled there run here and the reverse. Needs Python 3.13, which the package needs.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Producer } from 'kafkajs';
import { splitMessage } from '#chunking';
import { createTestTopic, type TestTopic, testEnvironment, testKafka, uniqueName, until } from '#testkit';
import { type ConsumedMessage, createRetriableConsumer, type Handler } from './index.ts';

const run = promisify(execFile);
const PACKAGE = 'retriable-kafka-client==0.7.0';
const PEER = fileURLToPath(new URL('./python-peer.child.py', import.meta.url));
const DEADLINE_MS = 60_000;
const INSTALL_DEADLINE_MS = 300_000;
const LENGTH = 2_200_000;

let python: string;
let producer: Producer;
const topics: TestTopic[] = [];
const peers = new Set<ChildProcess>();

/** By KRS_TEST_PYTHON, on the path, or among pyenv's versions. */
async function findPython(): Promise<string> {
  const pyenv = globSync(join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions/3.1[3-9]*/bin/python3'));
  const candidates = [process.env.KRS_TEST_PYTHON, 'python3.13', 'python3', ...pyenv].filter(
    (each) => each !== undefined,
  );
  for (const candidate of candidates) {
    const check = 'import sys; sys.exit(sys.version_info < (3, 13))';
    if (
      await run(candidate, ['-c', check]).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  throw new Error('this test needs Python 3.13 or newer: install it, or name it by KRS_TEST_PYTHON');
}

/** An environment of its own in the user's cache, made once. */
async function environmentWithPackage(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kafka-row-sender');
  const home = join(cache, PACKAGE.replace('==', '-'));
  const program = join(home, 'bin', 'python');
  if (existsSync(program)) return program;
  await mkdir(cache, { recursive: true });
  const half = `${home}.${process.pid}`;
  await run(await findPython(), ['-m', 'venv', half]);
  await run(join(half, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', PACKAGE], {
    timeout: INSTALL_DEADLINE_MS,
  });
  await rename(half, home).catch(() => rm(half, { recursive: true }));
  return program;
}

before(
  async () => {
    python = await environmentWithPackage();
    producer = testKafka(testEnvironment().kafkaBootstrap).producer();
    await producer.connect();
  },
  { timeout: INSTALL_DEADLINE_MS },
);

after(async () => {
  for (const peer of peers) peer.kill('SIGKILL');
  await producer?.disconnect();
  for (const topic of topics) await topic.drop();
});

interface Names {
  readonly topic: string;
  readonly retryTopic: string;
  readonly deadLetterTopic: string;
}

async function makeTopics(): Promise<Names> {
  const made = await Promise.all([1, 2, 3].map(() => createTestTopic({ prefix: 'krs-python' })));
  topics.push(...made);
  const [topic = '', retryTopic = '', deadLetterTopic = ''] = made.map(({ name }) => name);
  return { topic, retryTopic, deadLetterTopic };
}

interface Peer {
  readonly lines: { msg: string; letter?: string; length?: number }[];
  /** Closes its input, and waits for its end. */
  end(): Promise<void>;
}

function startPeer(settings: object): Peer {
  const common = { brokers: testEnvironment().kafkaBrokers, groupId: uniqueName('krs-python') };
  const child = spawn(python, [PEER, JSON.stringify({ ...common, ...settings })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  peers.add(child);
  const lines: Peer['lines'] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  const exit = once(child, 'close');
  return {
    lines,
    end: async () => {
      child.stdin.end();
      const [code] = await exit;
      peers.delete(child);
      assert.equal(code, 0, 'the Python side failed');
    },
  };
}

async function consume(names: Names, handler: Handler, done: () => boolean): Promise<void> {
  const { kafkaBrokers: brokers } = testEnvironment();
  const topicOptions = [{ ...names, delayMs: 2_000 }];
  const consumer = createRetriableConsumer({
    brokers,
    groupId: uniqueName('krs-python'),
    topics: topicOptions,
    handler,
  });
  try {
    await consumer.start();
    await until('our consumer`s work', done, DEADLINE_MS);
  } finally {
    await consumer.stop();
  }
}

test('Python splits, we join', async () => {
  const names = await makeTopics();
  await startPeer({ task: 'produce', topic: names.topic, letter: 'p', length: LENGTH }).end();
  const seen: ConsumedMessage[] = [];
  await consume(
    names,
    (message) => void seen.push(message),
    () => seen.length > 0,
  );
  const [message] = seen;
  assert.equal(JSON.parse(String(message?.value)).text, 'p'.repeat(LENGTH));
  assert.deepEqual([message?.key, String(message?.headers.id)], [null, 'from-python']);
});

test('we split, Python joins', async () => {
  const names = await makeTopics();
  const value = Buffer.from(JSON.stringify({ text: 'n'.repeat(LENGTH) }));
  for (const chunk of splitMessage({ key: null, value, headers: {} })) {
    await producer.send({ topic: names.topic, messages: [{ ...chunk }] });
  }
  const peer = startPeer({ task: 'consume', ...names, fail: false });
  await until('the Python consumer', () => peer.lines.length > 0, DEADLINE_MS);
  await peer.end();
  assert.deepEqual(peer.lines, [{ msg: 'handled', letter: 'n', length: LENGTH }]);
});

test('Python schedules a retry, in chunks, and we run it when due', async () => {
  const names = await makeTopics();
  await startPeer({ task: 'produce', topic: names.topic, letter: 'r', length: LENGTH }).end();
  const peer = startPeer({ task: 'consume', ...names, fail: true });
  await until('the Python consumer', () => peer.lines.length > 0, DEADLINE_MS);
  const failedMs = Date.now();
  await peer.end();
  const seen: (ConsumedMessage & { atMs: number })[] = [];
  const handler: Handler = (message) => void seen.push({ ...message, atMs: Date.now() });
  await consume(names, handler, () => seen.some(({ attempt }) => attempt > 0));
  const retry = seen.find(({ attempt }) => attempt > 0);
  assert.deepEqual([retry?.topic, retry?.attempt], [names.retryTopic, 1]);
  assert.equal(JSON.parse(String(retry?.value)).text.length, LENGTH);
  // Python writes whole seconds, rounded down: at most one less than its 2 s. We saw the failure within 100 ms or so.
  assert.ok((retry?.atMs ?? 0) - failedMs >= 700, 'the retry ran early');
});

test('we schedule a retry, in chunks, and Python runs it when due', async () => {
  const names = await makeTopics();
  const value = Buffer.from(JSON.stringify({ text: 's'.repeat(LENGTH) }));
  for (const chunk of splitMessage({ key: null, value, headers: {} })) {
    await producer.send({ topic: names.topic, messages: [{ ...chunk }] });
  }
  let failedMs = 0;
  const fail: Handler = () => {
    failedMs = Date.now();
    throw new Error('told to fail');
  };
  await consume(names, fail, () => failedMs > 0);
  // From an empty topic and our retry topic: what Python handles is the retry.
  const { topic } = await makeTopics();
  const peer = startPeer({ task: 'consume', ...names, topic, fail: false });
  await until('the Python consumer', () => peer.lines.length > 0, DEADLINE_MS);
  assert.ok(Date.now() - failedMs >= 2_000, 'the retry ran early');
  await peer.end();
  assert.deepEqual(peer.lines, [{ msg: 'handled', letter: 's', length: LENGTH }]);
});
