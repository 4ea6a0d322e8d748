/** Ports with some of their methods replaced. */
import type { AsideEntry, KafkaPort, ProducerSession, SenderStore, WriterStore } from '#outbox';

/** What is replaced keeps its own `this`, and what is not keeps the port's. */
const wrap = <T extends object>(port: T, change: Partial<T>): T =>
  new Proxy(port, {
    get: (target, name) => {
      const changed = Reflect.get(change, name) as unknown;
      if (changed !== undefined) return changed;
      const kept = Reflect.get(target, name) as unknown;
      return typeof kept === 'function' ? kept.bind(target) : kept;
    },
  });

export const withStore = (store: SenderStore, change: Partial<SenderStore>): SenderStore => wrap(store, change);

/** Rows that are not kept are passed and set aside nowhere. */
export const settingAside = (store: SenderStore, isKept: (entry: AsideEntry) => boolean): SenderStore =>
  withStore(store, {
    setAside: (lane, claimEpoch, rows, doubts) => store.setAside(lane, claimEpoch, rows.filter(isKept), doubts),
  });

export const withWriter = (store: WriterStore, change: Partial<WriterStore>): WriterStore => wrap(store, change);

export const withKafka = (port: KafkaPort, change: Partial<KafkaPort>): KafkaPort => ({ ...port, ...change });

/** `again` opens another session of the same id. */
export const withSession = (
  port: KafkaPort,
  change: (session: ProducerSession, again: () => Promise<ProducerSession>) => Partial<ProducerSession>,
): KafkaPort =>
  withKafka(port, {
    open: async (id, sentTopics) => {
      const session = await port.open(id, sentTopics);
      return { ...session, ...change(session, () => port.open(id, sentTopics)) };
    },
  });
