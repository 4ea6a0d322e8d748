/**
 * Ends the servers and removes the temporary folders of this process when it is gone, however it went: a small shell
 * reads their names from a pipe, and the end of the pipe is the end of us. Not even SIGKILL of a test leaves a server.
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

const SCRIPT = `
pids=' ' dirs=' '
while read -r what name; do
  case $what in
    pid) pids="$pids$name " ;;
    no-pid) pids=$(printf %s "$pids" | sed "s/ $name / /") ;;
    dir) dirs="$dirs$name " ;;
    no-dir) dirs=$(printf %s "$dirs" | sed "s| $name | |") ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done
for dir in $dirs; do rm -rf "$dir"; done
# Once more: a server that was just being made may have had helpers of its own, which end without their folder.
sleep 2
for dir in $dirs; do rm -rf "$dir"; done`;

let pipe: Socket | null = null;

function tell(line: string): void {
  if (pipe === null) {
    const guard = spawn('sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    guard.unref();
    pipe = guard.stdin as Socket;
    pipe.unref();
    pipe.on('error', () => undefined);
  }
  pipe.write(`${line}\n`);
}

export const guardProcess = (pid: number): void => tell(`pid ${pid}`);
export const unguardProcess = (pid: number): void => tell(`no-pid ${pid}`);
export const guardFolder = (dir: string): void => tell(`dir ${dir}`);
export const unguardFolder = (dir: string): void => tell(`no-dir ${dir}`);
