/**
 * Named crash points for drills: `KRS_CRASH_AT=name` or `name:7` (the seventh pass) ends the process with SIGKILL
 * exactly between two steps of the protocol. Unset, as in production, a pass costs one comparison.
 */
const [wanted, nth] = (process.env.KRS_CRASH_AT ?? '').split(':');
let passesLeft = Number(nth ?? 1);

export function crashPoint(name: string): void {
  if (name !== wanted) return;
  passesLeft -= 1;
  if (passesLeft === 0) process.kill(process.pid, 'SIGKILL');
}
