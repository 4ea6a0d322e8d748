/** Says in one line that this Node is too old. Imports nothing, and is written so that any Node with modules can read it. */

const NODE_MAJOR_MIN = 24;
const EXIT_USAGE = 2;

/** Ends the process on an older Node; to be called before anything else is loaded. */
export function refuseOldNode(): void {
  const { node } = process.versions;
  if (Number(node.split('.')[0]) >= NODE_MAJOR_MIN) return;
  const text = `kafka-row-sender needs Node ${NODE_MAJOR_MIN} or newer, and this is Node ${node} (${process.execPath}): install a newer one, or run the container image`;
  process.stderr.write(`${text}\n`);
  process.exit(EXIT_USAGE);
}
