/** The settings of a Kafka node for tests: broker and controller in one, small, and quick to get ready. */
import { join } from 'node:path';

export type KafkaNodeCount = 1 | 3;

/** Its settings begin with `listener.name.login.`. */
const LOGIN_LISTENER = 'LOGIN';

/** One more listener of a node. */
export interface KafkaListener {
  /** In capitals; its settings begin with `listener.name.<name in lower case>.`. */
  readonly name: string;
  /** `host:port`, `[ipv6]:port`. */
  readonly address: string;
  readonly protocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
}

export interface KafkaNode {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly advertisedPort: number;
  /** Of the listener that asks for a login; null: there is none. */
  readonly loginPort: number | null;
  readonly more: readonly KafkaListener[];
  readonly dir: string;
}

/** A second listener that asks for a login, over plain TCP. Brokers and controllers keep to the open ones. */
function listenersOf({ host, port, controllerPort, advertisedPort, loginPort, more }: KafkaNode) {
  const open = `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}`;
  const advertised = `PLAINTEXT://${host}:${advertisedPort}`;
  const login: KafkaListener[] =
    loginPort === null ? [] : [{ name: LOGIN_LISTENER, address: `${host}:${loginPort}`, protocol: 'SASL_PLAINTEXT' }];
  const others = [...login, ...more];
  if (others.length === 0) return { listeners: open, 'advertised.listeners': advertised };
  const addresses = others.map(({ name, address }) => `${name}://${address}`);
  const protocols = others.map(({ name, protocol }) => `${name}:${protocol}`);
  return {
    listeners: [open, ...addresses].join(','),
    'advertised.listeners': [advertised, ...addresses].join(','),
    'listener.security.protocol.map': ['PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT', ...protocols].join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
  };
}

export function kafkaProperties(
  node: KafkaNode,
  nodes: readonly KafkaNode[],
  more: Readonly<Record<string, string | number | boolean>>,
): string {
  const replicas = nodes.length;
  const inSync = Math.min(2, replicas);
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes
      .map(({ id, host, controllerPort }) => `${id}@${host}:${controllerPort}`)
      .join(','),
    ...listenersOf(node),
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(node.dir, 'data'),
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 8,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 8,
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': false,
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    ...more,
  };
  return `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}
