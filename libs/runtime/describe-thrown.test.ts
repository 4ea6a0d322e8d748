/** Whatever is thrown, looking at it neither throws nor takes long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { seededRandom } from '#testkit';
import { describeThrown, isError, isOfClass, propertyOf, THROWN_TEXT_CHARACTERS_MAX } from './describe-thrown.ts';
import { asRelayError, RelayError } from './errors.ts';

const TURNS = 3_000;
const boom = (): never => {
  throw new Error('boom');
};
const hostile: ProxyHandler<object> = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map((trap) => [trap, boom]),
);

class Getters extends Error {
  override get message(): string {
    return boom();
  }
  override get name(): string {
    return boom();
  }
  override get stack(): string {
    return boom();
  }
  override get cause(): unknown {
    return boom();
  }
  get code(): unknown {
    return boom();
  }
}

function circular(): Error {
  const first = new Error('first');
  first.cause = new Error('second', { cause: first });
  return first;
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const VALUES: Readonly<Record<string, () => unknown>> = {
  'no prototype': () => Object.create(null),
  'a proxy that throws': () => new Proxy({}, hostile),
  'a proxy of an error that throws': () => new Proxy(new Error('inner'), hostile),
  'a function as a proxy that throws': () => new Proxy(() => undefined, hostile),
  'a revoked proxy': revoked,
  'getters that throw': () => new Getters(),
  'causes in a circle': circular,
  'a symbol': () => Symbol('s'),
  undefined: () => undefined,
  null: () => null,
  'a BigInt': () => 12n,
  'not a number': () => Number.NaN,
  'a text': () => 'plain text',
  'a huge text': () => 'x'.repeat(10_000_000),
  'a huge message': () => new Error('x'.repeat(10_000_000)),
  'a huge name': () => Object.assign(new Error('m'), { name: 'n'.repeat(1_000_000) }),
  'a message that is no text': () => Object.assign(new Error(), { message: { a: 1 }, name: 7, stack: 8 }),
  'a list with a long text': () => Array.from({ length: 1_000_000 }, (_, n) => n),
  'a toString that throws': () => ({ toString: boom }),
  'a toString that gives no text': () => ({ toString: () => ({}), valueOf: () => ({}) }),
  'a tag that throws': () => ({ get [Symbol.toStringTag]() { return boom(); } }), // biome-ignore format: one line
  // biome-ignore lint/suspicious/noThenProperty: whoever awaits it is the one to fail
  'a thenable': () => ({ then: boom }),
  'an error of another realm': () => runInContext("new TypeError('elsewhere')", createContext()),
  'a DOMException': () => new DOMException('aborted', 'AbortError'),
};

for (const [title, make] of Object.entries(VALUES)) {
  test(`${title}`, () => {
    const facts = describeThrown(make());
    assert.ok(typeof facts.name === 'string' && facts.name !== '');
    assert.ok(typeof facts.message === 'string');
    for (const text of [facts.name, facts.message, facts.stack ?? '']) {
      assert.ok(text.length <= THROWN_TEXT_CHARACTERS_MAX + 3);
    }
    const error = asRelayError(make());
    assert.equal(error.code, 'INTERNAL');
    assert.equal(error.message, facts.message);
    assert.equal(isOfClass(make(), RelayError), false);
  });
}

test('what can be told is told', () => {
  const { name, message, code } = describeThrown(Object.assign(new TypeError('why'), { code: 'E_WHY' }));
  assert.deepEqual({ name, message, code }, { name: 'TypeError', message: 'why', code: 'E_WHY' });
  assert.equal(describeThrown(VALUES['an error of another realm']?.()).name, 'TypeError');
  assert.deepEqual(describeThrown({ message: 'of an object', code: 5 }), {
    name: 'object',
    message: 'of an object',
    stack: null,
    code: 5,
  });
  assert.equal(describeThrown('plain').message, 'plain');
  assert.ok(isError(new RangeError()));
  assert.equal(propertyOf({ a: 1 }, 'a'), 1);
  assert.equal(propertyOf(null, 'a'), undefined);
  const known = new RelayError('DB_FULL', 'full');
  assert.equal(asRelayError(known), known);
});

test('values made by chance: nested, with getters, traps and odd properties', () => {
  const random = seededRandom(3);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const leaves = Object.values(VALUES).filter((make) => !String(make).includes('000'));
  const value = (depth: number): unknown => {
    if (depth === 0) return pick(leaves)();
    const target: object = pick([() => ({}), () => new Error('e'), () => Object.create(null), () => []])();
    for (const name of ['message', 'name', 'stack', 'code', 'cause', 'toString', 'constructor']) {
      if (random() < 0.5) continue;
      const inner = value(depth - 1);
      const property = random() < 0.5 ? { get: boom } : { value: inner, writable: true };
      Object.defineProperty(target, name, { ...property, configurable: true, enumerable: random() < 0.5 });
    }
    const traps = Object.entries(hostile).filter(() => random() < 0.3);
    return random() < 0.4 ? new Proxy(target, Object.fromEntries(traps)) : target;
  };
  for (let turn = 0; turn < TURNS; turn += 1) {
    const { name, message } = describeThrown(value(1 + Math.floor(random() * 2)));
    assert.ok(typeof name === 'string' && typeof message === 'string');
  }
});
