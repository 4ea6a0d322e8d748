/** A call of a fake that is one instant, as a committed transaction or a consistent read is, between two passes of a gate. */

/** Called as `store.append` before the effect and `store.append:answered` after; a rejection is the call's. */
export type CallGate = (name: string) => Promise<void> | undefined;

export type FakeCall = <T>(name: string, effect: () => T) => Promise<T>;

/** `port` begins the names that the gate is called with. */
export function gatedCall(port: 'store' | 'source', gate: CallGate = () => undefined): FakeCall {
  return async (name, effect) => {
    const before = gate(`${port}.${name}`);
    if (before !== undefined) await before;
    const answer = effect();
    const after = gate(`${port}.${name}:answered`);
    if (after !== undefined) await after;
    return answer;
  };
}
