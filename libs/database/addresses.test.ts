/** A name with several addresses: each is tried, from the one that served last. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testEnvironment } from '#testkit';
import { AddressBook } from './addresses.ts';
import type { DatabaseOptions } from './index.ts';
import { openSession, ServerMemory } from './open-session.ts';

const bookOf = (...addresses: readonly string[]) =>
  new AddressBook(async () => addresses.map((address) => ({ address })));

test('in turn from the last that served; a name with one address, or none, is left to the driver', async () => {
  const book = bookOf('a', 'b', 'c', 'b');
  assert.deepEqual(await book.of('db'), ['a', 'b', 'c']);
  book.served('b');
  assert.deepEqual(await book.of('db'), ['b', 'c', 'a']);
  book.served(null);
  assert.deepEqual(await book.of('db'), ['a', 'b', 'c']);
  assert.deepEqual(await book.of('10.0.0.1'), [null]);
  assert.deepEqual(await bookOf('a').of('db'), [null]);
  assert.deepEqual(await new AddressBook(() => Promise.reject(new Error('no such name'))).of('db'), [null]);
  assert.equal((await bookOf(...Array.from({ length: 20 }, (_, at) => `a${at}`)).of('db')).length, 8);
});

test('one that nobody listens at, and one that nobody answers at, are passed over', async () => {
  const { port, user, password } = testEnvironment().database;
  const login = { host: 'db.test', port, user, password, database: null, ssl: null };
  const options: DatabaseOptions = { ...login, connectTimeoutMs: 6_000, readTimeoutMs: 5_000 };
  const memory = new ServerMemory(bookOf('127.0.0.9', '127.0.0.1'));
  const session = await openSession(options, memory);
  assert.equal((await session.query('SELECT 1')).length, 1);
  await session.close();
  assert.deepEqual(await memory.addresses.of('db.test'), ['127.0.0.1', '127.0.0.9']);
  const nobody = new ServerMemory(bookOf('127.0.0.8', '127.0.0.9'));
  await assert.rejects(openSession(options, nobody), {
    code: 'DB_UNREACHABLE',
    message: /db\.test:\d+ \(127\.0\.0\.9\)/,
  });
});
