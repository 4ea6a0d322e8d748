/**
 * Why a broker cannot be talked to, and which setting mends it. A broker that is asked in the wrong way closes the connection without a
 * word; what we were about to do then tells the likely cause.
 */
import { addressText, RelayError, tlsAdvice } from '#runtime';
import type { HostAndPort } from './broker-address.ts';
import { faultOfThrown, innermost } from './fault-table.ts';
import type { KafkaSettings } from './kafka-options.ts';
import { KafkaJSConnectionClosedError, KafkaJSProtocolError, KafkaJSSASLAuthenticationError } from './kafkajs.ts';

/** `open`: the broker has not answered yet; `login`: it has said what it speaks; `first`: no request was answered since. */
export type ConnectStage = 'open' | 'login' | 'first';

interface Security {
  readonly ssl?: KafkaSettings['ssl'] | undefined;
  readonly sasl?: KafkaSettings['sasl'] | undefined;
}

const SIDE = { settings: 'KAFKA', server: 'the broker', hostSetting: 'KAFKA_BOOTSTRAP_SERVERS' } as const;

/** UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE. */
const BY_CODE: Readonly<Record<number, string>> = {
  33: 'the broker does not offer this mechanism: set KAFKA_SASL_MECHANISM to one that it offers',
  34: 'the broker wants no login at this port: unset KAFKA_SASL_MECHANISM, or set KAFKA_BOOTSTRAP_SERVERS to the port that does',
};

const BY_DRIVER_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: check KAFKA_BOOTSTRAP_SERVERS, and advertised.listeners of the broker',
  ENOTFOUND: 'there is no such host: check KAFKA_BOOTSTRAP_SERVERS, and advertised.listeners of the broker',
  EAI_AGAIN: 'the name server did not answer: check KAFKA_BOOTSTRAP_SERVERS and the name server',
};

const closedAdvice = (stage: ConnectStage, { ssl = false, sasl }: Security): string | null => {
  if (stage === 'open') {
    return ssl === false
      ? 'the broker closed the connection without an answer: if this is a TLS port, set KAFKA_SSL to true, or KAFKA_BOOTSTRAP_SERVERS to the port without TLS'
      : null;
  }
  return sasl === undefined
    ? 'the broker closed the connection at the first request: if it wants a login, set KAFKA_SASL_MECHANISM'
    : null;
};

function adviceFor(error: unknown, stage: ConnectStage, security: Security): string | null {
  if (error instanceof KafkaJSProtocolError) return BY_CODE[error.code as unknown as number] ?? null;
  if (error instanceof KafkaJSSASLAuthenticationError) {
    return security.sasl?.mechanism === 'oauthbearer'
      ? 'check the token, and KAFKA_SASL_OAUTH_EXTENSIONS'
      : 'check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD';
  }
  if (error instanceof KafkaJSConnectionClosedError) return closedAdvice(stage, security);
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') return null;
  if (code === 'ECONNRESET' && stage === 'open') {
    return (security.ssl ?? false) === false
      ? closedAdvice(stage, security)
      : 'the broker closed the connection while TLS was set up: if this is no TLS port, set KAFKA_SSL to false, or KAFKA_BOOTSTRAP_SERVERS to the TLS port';
  }
  return tlsAdvice(code, { ...SIDE, certified: showsCertificate(security) }) ?? BY_DRIVER_CODE[code] ?? null;
}

function showsCertificate({ ssl }: Security): boolean {
  const options = typeof ssl === 'function' ? ssl() : ssl;
  return typeof options === 'object' && options.cert !== undefined;
}

/** The fault with its cause told, where one is known; anything else comes through as it is. */
export function explainConnect(
  thrown: unknown,
  { host, port }: HostAndPort,
  stage: ConnectStage,
  security: Security,
): unknown {
  const advice = adviceFor(innermost(thrown), stage, security);
  if (advice === null) return thrown;
  const fault = faultOfThrown(thrown, { step: 'connect' });
  // OpenSSL ends its texts with a line break.
  const text = fault.message
    .replace(/^Kafka connect failed: /, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return new RelayError(fault.code, `Kafka connect failed: broker ${addressText(host, port)}: ${text}; ${advice}`, {
    cause: thrown,
    details: fault.details,
  });
}
