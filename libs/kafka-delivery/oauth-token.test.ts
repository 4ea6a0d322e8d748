/** OAuth tokens: cached, fetched anew before they expire, from a command without a shell or a URL. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type Clock, RelayError, systemClock } from '#runtime';
import { failOnLeaks } from '#testkit';
import { createTokenProvider } from './oauth-token.ts';

failOnLeaks();

const node = process.execPath;

function movableClock(): Clock & { advance(ms: number): void } {
  let now = 0;
  return {
    ...systemClock,
    nowMs: () => now,
    wallMs: () => 1_790_000_000_000 + now,
    advance: (ms) => {
      now += ms;
    },
  };
}

async function refusal(work: Promise<unknown>): Promise<RelayError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RelayError, String(error));
  return error;
}

test('a command is run without a shell, its token kept for most of its life', async () => {
  const clock = movableClock();
  const script =
    'console.log(JSON.stringify({access_token: process.argv[1] + process.hrtime.bigint(), expires_in: 100}))';
  const provide = createTokenProvider({ command: [node, '-e', script, '$(id);'] }, clock);
  const first = await provide();
  assert.ok(first.value.startsWith('$(id);'), 'no shell saw the argument');
  clock.advance(79_000);
  assert.deepEqual(await provide(), first);
  clock.advance(2_000);
  assert.notDeepEqual(await provide(), first);
});

test('a JWT tells its life by its exp claim', async () => {
  const clock = movableClock();
  const claims = Buffer.from(JSON.stringify({ exp: 1_790_000_000 + 1000 })).toString('base64url');
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.end(`h.${claims}.s\n`);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const provide = createTokenProvider({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }, clock);
  try {
    assert.equal((await provide()).value, `h.${claims}.s`);
    clock.advance(790_000);
    await Promise.all([provide(), provide()]);
    assert.equal(asked, 1);
    clock.advance(20_000);
    await Promise.all([provide(), provide()]);
    assert.equal(asked, 2, 'two at once ask once');
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a URL with a client id is asked by the client-credentials grant', async () => {
  let seen = '';
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      seen = `${request.method} ${request.headers.authorization} ${body}`;
      response.end('{"access_token":"t","expires_in":60}');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    const provide = createTokenProvider({ url, clientId: 'me', clientSecret: 'geheim', scope: 'kafka' }, systemClock);
    assert.deepEqual(await provide(), { value: 't' });
    const basic = Buffer.from('me:geheim').toString('base64');
    assert.equal(seen, `POST Basic ${basic} grant_type=client_credentials&scope=kafka`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a source that fails is KAFKA_REFUSED and gives nothing away', async () => {
  const failing = createTokenProvider({ command: [node, '-e', 'console.log("geheim");process.exit(3)'] }, systemClock);
  const fault = await refusal(failing());
  assert.equal(fault.code, 'KAFKA_REFUSED');
  assert.ok(!`${fault.message} ${JSON.stringify(fault.details)} ${fault.cause}`.includes('geheim'));
  const empty = createTokenProvider({ command: [node, '-e', ''] }, systemClock);
  assert.equal((await refusal(empty())).code, 'KAFKA_REFUSED');
  const broken = createTokenProvider({ command: [node, '-e', 'console.log("{nonsense")'] }, systemClock);
  assert.equal((await refusal(broken())).code, 'KAFKA_REFUSED');
  const nowhere = createTokenProvider({ url: 'http://127.0.0.1:1/' }, systemClock);
  assert.equal((await refusal(nowhere())).code, 'KAFKA_REFUSED');
});
