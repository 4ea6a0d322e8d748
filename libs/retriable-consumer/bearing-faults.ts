/** An object of the caller's whose methods may throw: what they throw ends here, and the message they were told of goes on. */

export function bearingFaults<Target extends object>(target: Target): Target {
  return new Proxy(target, {
    get: (_, name) => {
      const found: unknown = Reflect.get(target, name);
      if (typeof found !== 'function') return found;
      return (...given: unknown[]) => {
        try {
          return Reflect.apply(found, target, given);
        } catch {
          return undefined;
        }
      };
    },
  });
}
