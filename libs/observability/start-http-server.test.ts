/** The three pages, over real HTTP. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import { RelayError, silentLogger, systemClock } from '#runtime';
import { createMetrics } from './create-metrics.ts';
import { type HttpServerOptions, type RunningHttpServer, startHttpServer } from './start-http-server.ts';

const running: RunningHttpServer[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

async function serve(options: Partial<HttpServerOptions> = {}): Promise<string> {
  const server = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    health: () => ({ healthy: true, reasons: [], notes: [], stalls: [] }),
    ready: () => ({ ready: true, reasons: [] }),
    metrics: createMetrics(),
    logger: silentLogger,
    ...options,
  });
  running.push(server);
  return `http://127.0.0.1:${server.port}`;
}

test('healthy and ready are 200, their opposites 503 with the reasons', async () => {
  let well = true;
  const base = await serve({
    health: () => ({ healthy: well, reasons: well ? [] : ['orders: stalled'], notes: ['a note'], stalls: [] }),
    ready: () => ({ ready: well, reasons: well ? [] : ['no database'] }),
  });
  for (const page of ['/healthz', '/readyz']) assert.equal((await fetch(base + page)).status, 200);
  well = false;
  const health = await fetch(`${base}/healthz?verbose=1`);
  assert.equal(health.status, 503);
  assert.deepEqual(await health.json(), {
    healthy: false,
    reasons: ['orders: stalled'],
    notes: ['a note'],
    stalls: [],
  });
  const ready = await fetch(`${base}/readyz`);
  assert.equal(ready.status, 503);
  assert.deepEqual(await ready.json(), { ready: false, reasons: ['no database'] });
});

test('metrics are Prometheus text', async () => {
  const response = await fetch(`${await serve()}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(await response.text(), /^# HELP kafka_row_sender_/m);
});

test('other pages are 404, other methods 405, HEAD has no body', async () => {
  const base = await serve();
  for (const page of ['/', '/healthz/', '/../etc/passwd', '//healthz']) {
    assert.equal((await fetch(base + page)).status, 404, page);
  }
  const posted = await fetch(`${base}/healthz`, { method: 'POST', body: 'x'.repeat(100_000) });
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get('allow'), 'GET, HEAD');
  const head = await fetch(`${base}/metrics`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.ok(Number(head.headers.get('content-length')) > 0);
  assert.equal(await head.text(), '');
});

test('a page that fails is 500 without details, and the server goes on', async () => {
  const base = await serve({
    metrics: { contentType: 'text/plain', render: () => Promise.reject(new Error('sesame')) },
    health: () => {
      throw new Error('sesame');
    },
  });
  for (const page of ['/metrics', '/healthz']) {
    const response = await fetch(base + page);
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /sesame/);
  }
  assert.equal((await fetch(`${base}/readyz`)).status, 200);
});

test('a taken port is refused with a code, and close is prompt with connections open', async () => {
  const port = Number(new URL(await serve()).port);
  await assert.rejects(
    serve({ port }),
    (error) => error instanceof RelayError && error.code === 'CONFIG_INVALID' && error.message.includes('EADDRINUSE'),
  );
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  socket.write('GET /healthz HTTP/1.1\r\n');
  const cut = new Promise((resolve) => socket.once('close', resolve));
  const startedMs = systemClock.nowMs();
  await running.pop()?.close();
  await cut;
  assert.ok(systemClock.nowMs() - startedMs < 500);
});
