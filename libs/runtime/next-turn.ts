/** For work that is synchronous by nature: a loop of it must leave the process its timers, sockets and signals. */

/** Resolves after the event loop has looked at everything else that is due. */
export const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });
