/**
 * Notices commits of other connections and processes by the file system: every commit writes to the WAL beside the file. A hint
 * as a doorbell is: where watching is not possible, the poll finds the rows.
 */
import { type FSWatcher, watch } from 'node:fs';

/** Returns what ends the watching. The WAL must be there, as it is while a connection is open. */
export function watchCommits(path: string, onCommit: () => void): () => void {
  let watcher: FSWatcher;
  try {
    watcher = watch(`${path}-wal`, { persistent: false }, onCommit);
  } catch {
    return () => undefined;
  }
  watcher.on('error', () => watcher.close());
  return () => watcher.close();
}
