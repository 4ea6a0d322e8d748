/**
 * The answer to MariaDB's login plugin `ed25519`: an Ed25519 signature (RFC 8032) whose secret is the password. Node and the
 * libraries take a secret of 32 bytes and MariaDB takes one of any length, so that the little arithmetic there is stands here; all
 * hashing is Node's. It runs once a connection. Time depends on the secret here: an attacker would have to measure our process.
 * mariadb.com/kb/en/authentication-plugin-ed25519; the constants are RFC 8032's, section 5.1.
 */
import { createHash } from 'node:crypto';

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const SEED_BYTES = 32;
const KEY_BITS = 255n;

const mod = (value: bigint, by = P): bigint => ((value % by) + by) % by;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = mod(base), rest = exponent; rest > 0n; rest >>= 1n, square = mod(square * square)) {
    if (rest & 1n) result = mod(result * square);
  }
  return result;
}

const inverse = (value: bigint): bigint => power(value, P - 2n);
const D = mod(-121665n * inverse(121666n));

/** A point of the curve in extended coordinates. */
type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint];

const BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202n;
const BASE_Y = 46316835694926478169428394003475163141307993866256225615783033603165251855960n;
const BASE: Point = [BASE_X, BASE_Y, 1n, mod(BASE_X * BASE_Y)];

function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * t1 * t2 * D);
  const d = mod(2n * z1 * z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function multiply(scalar: bigint): Point {
  let result: Point = [0n, 1n, 1n, 0n];
  for (let point = BASE, rest = scalar; rest > 0n; rest >>= 1n, point = add(point, point)) {
    if (rest & 1n) result = add(result, point);
  }
  return result;
}

const toNumber = (bytes: Buffer): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
const sha512 = (...parts: readonly Buffer[]): Buffer => createHash('sha512').update(Buffer.concat(parts)).digest();

function encode([x, y, z]: Point): Buffer {
  const scale = inverse(z);
  return toBytes(mod(y * scale) | ((mod(x * scale) & 1n) << KEY_BITS));
}

/** 64 bytes. The message is what the server has sent: 32 bytes, and perhaps one that ends them. */
export function signEd25519(password: string, message: Buffer): Buffer {
  const challenge = message.subarray(0, SEED_BYTES);
  const hash = sha512(Buffer.from(password, 'utf8'));
  const scalar = Buffer.from(hash.subarray(0, SEED_BYTES));
  scalar[0] = (scalar[0] as number) & 248;
  scalar[31] = ((scalar[31] as number) & 63) | 64;
  const secret = toNumber(scalar);
  const publicKey = encode(multiply(secret));
  const nonce = mod(toNumber(sha512(hash.subarray(SEED_BYTES), challenge)), ORDER);
  const point = encode(multiply(nonce));
  const factor = mod(toNumber(sha512(point, publicKey, challenge)), ORDER);
  return Buffer.concat([point, toBytes(mod(nonce + factor * secret, ORDER))]);
}
