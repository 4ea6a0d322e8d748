/** The commands of Kafka's own tools that mend a setting, ready to be pasted. */
import type { Config } from '#config';

export const topicAbout = (topic: string): string => `topic ${topic}`;

export const toolsFor = (config: Config, tool: string): string =>
  `${tool} --bootstrap-server ${config.kafka.bootstrapServers[0]}`;

/** Sets one setting of one topic. */
export const setTopicConfig = (config: Config, topic: string, name: string, value: string): string =>
  `${toolsFor(config, 'kafka-configs.sh')} --alter --entity-type topics --entity-name ${topic} --add-config ${name}=${value}`;

export const aclCommand = (config: Config, operations: string, resource: string): string =>
  `${toolsFor(config, 'kafka-acls.sh')} --add --allow-principal User:${principal(config)} ${operations} ${resource}`;

const principal = ({ kafka }: Config): string =>
  kafka.sasl !== null && kafka.sasl.mechanism !== 'OAUTHBEARER' ? kafka.sasl.username : '<principal>';
