/** Limits its heap and prints what it then is: for limit-heap.test.ts. */
import { getHeapStatistics } from 'node:v8';
import { limitHeap } from './limit-heap.ts';

const MB = 1024 * 1024;
/** Set by whoever came first, which after the limits is not this start but the one before it. */
process.env.LIMIT_HEAP_PID ??= String(process.pid);
limitHeap();
process.stdout.write(
  JSON.stringify({
    execArgv: process.execArgv,
    args: process.argv.slice(2),
    samePid: process.env.LIMIT_HEAP_PID === String(process.pid),
    heapMb: getHeapStatistics().heap_size_limit / MB,
  }),
);
