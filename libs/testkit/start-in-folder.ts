/** A server of one process in a folder of its own: started until it answers, and taken down with its folder. */
import { join } from 'node:path';
import { serverFolder } from './server-folder.ts';
import { type ServerControl, type ServerPlan, ServerProcess } from './server-process.ts';

export interface PidControl extends ServerControl {
  readonly pid: number;
}

/** `log` is the name of the log's file in the folder. */
export type PlanInFolder = Omit<ServerPlan, 'dir' | 'logFile'> & { readonly log: string };

export interface FolderOptions {
  /** Begins the name of a temporary folder. */
  readonly name: string;
  /** The caller's folder, which stays. */
  readonly dir?: string | undefined;
  /** Makes what must lie in the folder before the first start. */
  readonly prepare?: (dir: string) => Promise<void>;
  readonly plan: (dir: string) => PlanInFolder;
}

/** Rejects when the server does not get ready; nothing of it is left then. */
export async function startInFolder({ name, dir, prepare, plan }: FolderOptions): Promise<PidControl> {
  const folder = await serverFolder(name, dir);
  const { log, ...rest } = plan(folder.dir);
  const server = new ServerProcess({ ...rest, dir: folder.dir, logFile: join(folder.dir, log) });
  const dispose = async () => {
    await server.kill();
    await folder.dispose();
  };
  try {
    await prepare?.(folder.dir);
    await server.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    get pid() {
      return server.pid;
    },
    ...controlOf(server),
    stop: async () => {
      if (!folder.temporary) await server.terminate();
      await dispose();
    },
  };
}

/** Stopping ends the process and leaves its folder. */
export function controlOf(server: ServerProcess): ServerControl {
  return {
    kill: () => server.kill(),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    restart: async () => {
      await server.terminate();
      await server.start();
    },
    stop: () => server.terminate(),
  };
}
