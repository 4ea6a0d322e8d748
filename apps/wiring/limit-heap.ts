/**
 * V8 lets garbage grow to several times of what is in use where the machine has much memory: a sender that holds two batches
 * of 4 MiB grew to 320 MB. Two limits keep it near 150 MB at the same speed (docs/benchmarks.md). They bound garbage, not what
 * is in use, so that no setting of batch sizes can make a process run out of memory that would not without them.
 * V8 takes them only before it starts, so the process puts itself in its own place: the same process id, arguments and file
 * descriptors. That way every start has them: from source, the package's programs, the image.
 */

const LIMITS = [
  // MB of the young generation's halves (Node's own limit: 32): what outlives a few of these is a batch.
  '--max-semi-space-size=8',
  // A full collection when the old generation has grown by so much since the last one (V8's own limit: 300).
  '--heap-growing-percent=40',
];

const nameOf = (flag: string): string => flag.replace(/=.*$/, '').replaceAll('_', '-');

/** Limits that neither the command line nor NODE_OPTIONS gives: the user's own stand. */
export function missingHeapLimits(execArgv: readonly string[], nodeOptions: string): string[] {
  const given = new Set([...execArgv, ...nodeOptions.split(/\s+/)].map(nameOf));
  return LIMITS.filter((limit) => !given.has(nameOf(limit)));
}

/** Starts the process anew with the limits it lacks; does nothing where a process cannot replace itself (Windows). */
export function limitHeap(): void {
  const missing = missingHeapLimits(process.execArgv, process.env.NODE_OPTIONS ?? '');
  if (missing.length === 0 || process.execve === undefined || process.platform === 'win32') return;
  const [node, ...args] = process.argv;
  process.execve(process.execPath, [node ?? 'node', ...missing, ...process.execArgv, ...args]);
}
