/**
 * What is wrong with a TLS handshake and which setting mends it, by the code that Node or OpenSSL gives. Certificates, by Node's
 * documentation of `X509 certificate error codes`; alerts are what the other side said of ours.
 */

export interface TlsSide {
  /** Begins the settings: `KAFKA` or `DB`. */
  readonly settings: 'KAFKA' | 'DB';
  /** As in a sentence. */
  readonly server: string;
  /** The setting that names the host. */
  readonly hostSetting: string;
  /** Whether we show a certificate. */
  readonly certified: boolean;
}

type Advice = (side: TlsSide) => string;

const otherAuthority: Advice = ({ settings, server }) =>
  `${server}'s certificate is signed by an authority that is not trusted here: set ${settings}_SSL_CA to that authority's certificate`;
const clientWanted: Advice = ({ settings, server }) =>
  `${server} wants a certificate of ours: set ${settings}_SSL_CERT and ${settings}_SSL_KEY`;
/** Java complains of a certificate that it was not shown. */
const clientRefused: Advice = (side) =>
  side.certified
    ? `${side.server} does not take our certificate: have ${side.settings}_SSL_CERT signed by an authority that it trusts`
    : clientWanted(side);
const noTls: Advice = ({ settings, server, hostSetting }) =>
  `${server} does not speak TLS at this port: set ${settings}_SSL to false, or ${hostSetting} to the address that does`;
const keyMismatch: Advice = ({ settings }) =>
  `${settings}_SSL_KEY is not the key of ${settings}_SSL_CERT: give the pair`;

const ADVICE: Readonly<Record<string, Advice>> = {
  SELF_SIGNED_CERT_IN_CHAIN: otherAuthority,
  UNABLE_TO_GET_ISSUER_CERT: otherAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: otherAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: otherAuthority,
  CERT_SIGNATURE_FAILURE: otherAuthority,
  CERT_UNTRUSTED: otherAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: ({ settings, server }) =>
    `${server}'s certificate is signed by itself: set ${settings}_SSL_CA to that certificate`,
  CERT_HAS_EXPIRED: ({ settings, server }) =>
    `${server}'s certificate, or an authority's in ${settings}_SSL_CA, has expired: have it renewed`,
  CERT_NOT_YET_VALID: ({ server }) => `${server}'s certificate is not valid yet: compare the clocks`,
  ERR_TLS_CERT_ALTNAME_INVALID: ({ server, hostSetting }) =>
    `${server}'s certificate is for other names: set ${hostSetting} to a name that is in it, or have it made for this one`,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: clientWanted,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: clientWanted,
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE': clientWanted,
  'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE': clientRefused,
  'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN': clientRefused,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: clientRefused,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: clientRefused,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: clientRefused,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: clientRefused,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: clientRefused,
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_SSL_HTTP_REQUEST: noTls,
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: keyMismatch,
  ERR_OSSL_X509_KEY_TYPE_MISMATCH: keyMismatch,
};

/** Null for a code that says nothing of certificates or TLS. */
export const tlsAdvice = (code: string, side: TlsSide): string | null =>
  Object.hasOwn(ADVICE, code) ? (ADVICE[code] as Advice)(side) : null;
