/**
 * Which driver and server errors mean what. Server errors by number (MySQL's and MariaDB's error references), driver and socket
 * errors by code. Fatal ones are named with their reasons in fatal-errors.ts. What is in neither is DB_UNKNOWN: tried again, loudly.
 */
import type { ErrorCode } from '#runtime';
import { FATAL_BY_ERRNO } from './fatal-errors.ts';

const BY_ERRNO: readonly (readonly [ErrorCode, readonly number[]])[] = [
  // Deadlock, lock wait timeout, NOWAIT refused, killed query, statement time limits, snapshot moved (1020), table changed
  // under the transaction (1412) or a prepared statement (1615), conflict in a group (3101), TiDB's write conflicts and schema
  // races (8002, 8022, 8028, 9007).
  ['DB_TRANSIENT', [1213, 1205, 3572, 1317, 1969, 3024, 1020, 1412, 1615, 3101, 8002, 8022, 8028, 9007]],
  // --read-only and --super-read-only, a read-only transaction, a table or InnoDB that is opened for reading only.
  ['DB_READ_ONLY', [1290, 1792, 1836, 1036, 1874]],
  // Wrong password, missing grant, locked or expired account, host not allowed or blocked, unknown login plugin, TLS demanded.
  ['DB_REFUSED', [1044, 1045, 1129, 1130, 1131, 1132, 1133, 1142, 1143, 1227, 1226, 1251, 1275, 1370]],
  ['DB_REFUSED', [1524, 1698, 1820, 1862, 3118, 3159, 4151]],
  // Full disk or table space, out of memory, threads, locks (1206) or prepared statements (1461), failed file writes; 1030 is any
  // storage engine fault, a full disk first.
  ['DB_FULL', [3, 20, 1021, 1026, 1030, 1037, 1038, 1041, 1114, 1135, 1197, 1206, 1461, 1598, 3675]],
  // Too many connections, shutdown, killed connection, network errors as the server saw them, Galera node not ready (1047),
  // a server taken offline (3032, 3168), a member that has left its group (3100, 3796 to 3798), TiDB's storage away (9001-9005).
  ['DB_UNREACHABLE', [1040, 1047, 1053, 1077, 1078, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1203]],
  ['DB_UNREACHABLE', [1927, 2002, 2003, 2006, 2013, 3169, 4031, 9001, 9002, 9003, 9004, 9005]],
  ['DB_UNREACHABLE', [3032, 3168, 3100, 3796, 3797, 3798]],
  // The value itself: too long, wrong type, out of range, null, a failed CHECK, not valid in its character set, packet too large.
  ['DB_ROW_REFUSED', [1048, 1118, 1153, 1264, 1265, 1292, 1300, 1301, 1366, 1406, 1690, 3140, 3819, 3988, 4025]],
];

/**
 * Answers of a server that is not, or will soon not be, the one to write to: whatever other sessions there are to it are of no use
 * either, and a new connection may find its successor.
 */
const LEAVES: ReadonlySet<number> = new Set([
  ...[1290, 1792, 1836, 1036, 1874],
  ...[1047, 1053, 1077, 1078, 1079, 1080],
  ...[3032, 3168, 3100, 3796, 3797, 3798],
]);

export const tellsToLeave = (errno: number | null): boolean => errno !== null && LEAVES.has(errno);

const BY_CODE: readonly (readonly [ErrorCode, readonly string[]])[] = [
  ['DB_UNREACHABLE', ['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN']],
  ['DB_UNREACHABLE', ['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EAI_FAIL', 'EAI_NODATA', 'EPROTO']],
  // A unix socket that is not there, not to be used, or not listened to.
  ['DB_UNREACHABLE', ['ENOENT', 'EACCES', 'EPERM', 'ENOTSOCK', 'EAGAIN', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOTCONN']],
  ['DB_UNREACHABLE', ['PROTOCOL_CONNECTION_LOST', 'PROTOCOL_ERROR', 'PROTOCOL_UNEXPECTED_PACKET']],
  ['DB_UNREACHABLE', ['PROTOCOL_PACKETS_OUT_OF_ORDER', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'EMFILE']],
  ['DEADLINE_EXCEEDED', ['PROTOCOL_SEQUENCE_TIMEOUT']],
  // Login plugins and certificates. mysql2 puts the one name over whatever went wrong in the TLS handshake.
  ['DB_REFUSED', ['HANDSHAKE_SSL_ERROR']],
  ['DB_REFUSED', ['MYSQL_CLEAR_PASSWORD_NOT_ENABLED']],
  ['DB_REFUSED', ['AUTH_SWITCH_PLUGIN_ERROR', 'HANDSHAKE_NO_SSL_SUPPORT', 'HANDSHAKE_SECURE_TRANSPORT_REQUIRED']],
  ['DB_REFUSED', ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']],
  ['DB_REFUSED', ['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_HAS_EXPIRED']],
  ['DB_REFUSED', ['CERT_NOT_YET_VALID', 'CERT_UNTRUSTED', 'CERT_SIGNATURE_FAILURE', 'ERR_TLS_CERT_ALTNAME_INVALID']],
];

const errnoTable = new Map<number, ErrorCode>([
  ...BY_ERRNO.flatMap(([code, list]) => list.map((errno) => [errno, code] as const)),
  ...[...FATAL_BY_ERRNO.values()].map(({ errno, code }) => [errno, code] as const),
]);
const codeTable = new Map(BY_CODE.flatMap(([code, list]) => list.map((name) => [name, code] as const)));

/** The code of a driver error, by number before name; null when neither is known. */
export function classify(errno: number | undefined, code: string | undefined): ErrorCode | null {
  return (
    (errno === undefined ? undefined : errnoTable.get(errno)) ??
    (code === undefined ? undefined : codeTable.get(code)) ??
    null
  );
}
