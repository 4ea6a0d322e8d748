/**
 * V8 sizes its heap by the machine's memory: with much of it, garbage may grow to several times of what is in use, and a
 * process that holds two batches of 4 MiB grows to 300 MB. Two limits keep it near 130 MB at the same speed (measured:
 * docs/benchmarks.md). They can only be given to V8 before it starts, so the process puts itself in its own place: the same
 * process id, file descriptors and arguments. That way every start has them: from source, the package's programs, the image.
 */
/** The young generation, in MB: what lives longer than a few of these is a batch. */
const SEMI_SPACE_MB = 4;
/** Far above what batches within their byte limits need; V8 lets garbage grow by a smaller factor the lower it is. */
const OLD_SPACE_MB = 1024;

const LIMITS = [
  { flag: '--max-semi-space-size', mb: SEMI_SPACE_MB },
  { flag: '--max-old-space-size', mb: OLD_SPACE_MB },
];

/** Limits that neither the command line nor NODE_OPTIONS gives: the user's own stand. */
export function missingHeapLimits(execArgv: readonly string[], nodeOptions: string): string[] {
  const given = [...execArgv, ...nodeOptions.split(/\s+/)].map((word) => word.replace(/=.*$/, '').replaceAll('_', '-'));
  return LIMITS.filter(({ flag }) => !given.includes(flag)).map(({ flag, mb }) => `${flag}=${mb}`);
}

/** Starts the process anew with the limits it lacks; does nothing where a process cannot replace itself (Windows). */
export function limitHeap(): void {
  const missing = missingHeapLimits(process.execArgv, process.env.NODE_OPTIONS ?? '');
  if (missing.length === 0 || process.execve === undefined || process.platform === 'win32') return;
  const [node, ...args] = process.argv;
  process.execve(process.execPath, [node ?? 'node', ...missing, ...process.execArgv, ...args]);
}
