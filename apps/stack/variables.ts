/** The variables that lead a shell to the stack: the settings of our executables, and those of the tests. */
import type { StackState } from './state.ts';

export const DB_NAME = 'kafka_row_sender';

export function stackVariables({ variables }: StackState): Record<string, string> {
  const given = (name: string): string => variables[name] ?? '';
  return {
    KAFKA_ROW_SENDER_DB_HOST: given('KRS_TEST_DB_HOST'),
    KAFKA_ROW_SENDER_DB_PORT: given('KRS_TEST_DB_PORT'),
    KAFKA_ROW_SENDER_DB_USER: given('KRS_TEST_DB_USER'),
    KAFKA_ROW_SENDER_DB_PASSWORD: given('KRS_TEST_DB_PASSWORD'),
    KAFKA_ROW_SENDER_DB_NAME: DB_NAME,
    KAFKA_ROW_SENDER_KAFKA_BOOTSTRAP_SERVERS: given('KRS_TEST_KAFKA'),
    KAFKA_ROW_SENDER_REDIS_URL: given('KRS_TEST_REDIS_URL'),
    ...variables,
  };
}

/** As a shell reads them; values are quoted, whatever is in them. */
export const exportLines = (variables: Readonly<Record<string, string>>): string[] =>
  Object.entries(variables).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`);
