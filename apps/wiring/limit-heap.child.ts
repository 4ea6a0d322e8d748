/** Limits its heap and prints what it then is: for limit-heap.test.ts. */
import { limitHeap } from './limit-heap.ts';

/** Set by whoever came first, which after the limits is not this start but the one before it. */
process.env.LIMIT_HEAP_PID ??= String(process.pid);
limitHeap();
process.stdout.write(
  JSON.stringify({
    execArgv: process.execArgv,
    args: process.argv.slice(2),
    samePid: process.env.LIMIT_HEAP_PID === String(process.pid),
  }),
);
