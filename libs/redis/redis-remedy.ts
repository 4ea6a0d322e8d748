/** What to do about a refusal of Redis, by its code. */

const REMEDIES: Readonly<Record<string, string>> = {
  NOAUTH: 'it wants a password: set REDIS_PASSWORD, or put it into REDIS_URL',
  WRONGPASS: 'user or password is wrong: correct REDIS_USERNAME and REDIS_PASSWORD, or REDIS_URL',
  NOPERM: 'the user lacks a right: doctor names the command and the ACL rule that allows it',
  OOM: 'its memory is used up: raise maxmemory, or find who fills it',
  MISCONF: 'it cannot save to its disk and refuses writes: mend the disk, or turn stop-writes-on-bgsave-error off',
  READONLY: 'it is a replica: point REDIS_URL to the primary, or to the sentinels',
  MASTERDOWN: 'it is a replica that has lost its primary: point REDIS_URL to the primary, or to the sentinels',
  NOREPLICAS: 'it has too few replicas for a write: bring them back, or lower min-replicas-to-write',
  LOADING: 'it still loads its data: nothing to do but wait',
  BUSY: 'a script keeps it busy: SCRIPT KILL',
  MOVED: 'it is a node of a cluster: give REDIS_URL as redis-cluster://host:port,host:port',
  ASK: 'it is a node of a cluster: give REDIS_URL as redis-cluster://host:port,host:port',
  CROSSSLOT: 'it is a node of a cluster: give REDIS_URL as redis-cluster://host:port,host:port',
  CLUSTERDOWN: 'slots of the cluster are served by nobody: bring its nodes back (CLUSTER INFO)',
  ClusterAllFailedError: 'no node of the cluster answers: bring them back, or correct REDIS_URL',
  ECONNREFUSED: 'nothing listens there: start Redis, or correct REDIS_URL',
  ENOTFOUND: 'the host is not known: correct REDIS_URL',
  EAI_AGAIN: 'the host cannot be looked up just now: check the name service',
  ECONNRESET: 'it closes the connection: check whether it wants TLS (rediss://) or has too many clients',
  EPIPE: 'it closes the connection: check whether it wants TLS (rediss://) or has too many clients',
  CLOSED: 'it closes the connection: check whether it wants TLS (rediss://) or has too many clients',
  ETIMEDOUT: 'it does not answer: check network and firewall',
  NO_ANSWER: 'it does not answer: check network, firewall and REDIS_URL',
  EPROTO: 'it does not speak TLS there: use redis://, or the port that does',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is of an authority of your own: set REDIS_SSL_CA',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority of your own: set REDIS_SSL_CA',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an authority of your own: set REDIS_SSL_CA',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an authority of your own: set REDIS_SSL_CA',
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host: use the name in it in REDIS_URL',
};

const ELSE = 'bring it back, or correct REDIS_URL';

/** Half a sentence: cause, and what to do. */
export function redisRemedy(code: string): string {
  return REMEDIES[code] ?? ELSE;
}
