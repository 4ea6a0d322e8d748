/** The commands that BullMQ's scripts call, each with arguments that do nothing of note to a key of its own: a script's refusal names none. */

type Call = readonly [command: string, ...rest: readonly string[]];

const CALLS: readonly Call[] = [
  ...['exists', 'get', 'incr', 'pttl', 'persist', 'del', 'unlink'].map((name): Call => [name]),
  ['set', '1', 'PX', '1000'],
  ['pexpire', '1000'],
  ['pexpireat', '1'],
  ['hset', 'a', '1'],
  ['hmset', 'a', '1'],
  ['hincrby', 'a', '1'],
  ...['hget', 'hmget', 'hdel', 'hexists'].map((name): Call => [name, 'a']),
  ...['hgetall', 'hlen', 'llen', 'rpop', 'scard', 'smembers', 'zcard', 'zpopmin', 'xlen'].map((name): Call => [name]),
  ...['lpush', 'rpush', 'sadd', 'srem', 'zscore', 'zrem', 'lpos'].map((name): Call => [name, 'a']),
  ['lrem', '0', 'a'],
  ['lindex', '0'],
  ...['lrange', 'ltrim', 'zrange', 'zrevrange', 'zcount', 'zrangebyscore', 'zrevrangebyscore', 'zremrangebyscore'].map(
    (name): Call => [name, '0', '0'],
  ),
  ['zrangebylex', '-', '+'],
  ['zadd', '1', 'a'],
  ['xadd', '*', 'a', '1'],
  ['xrange', '-', '+'],
  ['xtrim', 'MAXLEN', '0'],
  ['bzpopmin', '0.01'],
];

export interface ScriptCommand {
  readonly command: string;
  readonly key: string | null;
  readonly args: readonly string[];
}

/** `keyOf` gives each command a key that no other has. */
export function scriptCommands(keyOf: (command: string) => string): readonly ScriptCommand[] {
  const single = CALLS.map(([command, ...rest]) => {
    const key = keyOf(command);
    return { command, key, args: [key, ...rest] };
  });
  const list = keyOf('rpoplpush');
  return [...single, { command: 'rpoplpush', key: list, args: [list, list] }, { command: 'time', key: null, args: [] }];
}
