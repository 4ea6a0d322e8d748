/** Ctrl-C and SIGTERM for programs that start others: the first asks for an orderly end, a later one ends at once. */

/** A signal often comes more than once: from the terminal to all of the group, and passed on by npm and by the launcher. */
const SAME_SIGNAL_MS = 1_500;

/** Aborts on the first signal. The process guard ends what is left behind by the second. */
export function interruption(exitCode: number): AbortSignal {
  const interrupted = new AbortController();
  let firstMs = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!interrupted.signal.aborted) {
        firstMs = performance.now();
        interrupted.abort();
      } else if (performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(exitCode);
    });
  }
  return interrupted.signal;
}
