/** What a process has used, as Linux counts it in /proc. */
import { readFileSync } from 'node:fs';

/** Linux reports CPU time in hundredths of a second, whatever its own tick is. */
const TICK_US = 10_000;
const KIB_PER_MB = 1024;

/** CPU time of the process so far, user and system, in microseconds. */
export function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything; utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

function statusMb(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / KIB_PER_MB);
}

/** The most memory the process ever had resident (VmHWM), in MB, and what it has now. */
export const peakRssMb = (pid: number): number => statusMb(pid, 'VmHWM');
export const rssMb = (pid: number): number => statusMb(pid, 'VmRSS');

/** The load average of the last minute. */
export const load = (): number => Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
