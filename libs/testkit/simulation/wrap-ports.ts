/** Ports with some of their methods replaced. */
import type { KafkaPort, ProducerSession, SenderStore, WriterStore } from '#outbox';

export const withStore = (store: SenderStore, change: Partial<SenderStore>): SenderStore =>
  new Proxy(store, { get: (target, name) => Reflect.get(change, name) ?? Reflect.get(target, name) });

export const withWriter = (store: WriterStore, change: Partial<WriterStore>): WriterStore =>
  new Proxy(store, { get: (target, name) => Reflect.get(change, name) ?? Reflect.get(target, name) });

export const withKafka = (port: KafkaPort, change: Partial<KafkaPort>): KafkaPort => ({ ...port, ...change });

export const withSession = (
  port: KafkaPort,
  change: (session: ProducerSession, id: string) => Partial<ProducerSession>,
): KafkaPort =>
  withKafka(port, {
    open: async (id) => {
      const session = await port.open(id);
      return { ...session, ...change(session, id) };
    },
  });
