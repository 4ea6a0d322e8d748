/** A source reader with some of its methods replaced; the rest keep their own `this`. */
import type { SourceReader } from './ports.ts';

export const withReader = (reader: SourceReader, change: Partial<SourceReader>): SourceReader =>
  new Proxy(reader, {
    get: (target, name) => {
      const changed = Reflect.get(change, name) as unknown;
      if (changed !== undefined) return changed;
      const kept = Reflect.get(target, name) as unknown;
      return typeof kept === 'function' ? kept.bind(target) : kept;
    },
  });
