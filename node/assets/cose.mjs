// COSE_Sign1 (RFC 9052 section 4.2), and attestations in it; schemas/spec/attestation.md.

import {
  Reader, byteString, concat, decode, fields, hex, isBytes, isCount, isInstant, need, sha256, unhex, utf8,
} from './bytes.mjs';
import { isKey } from './ed25519.mjs';

/** Key id: the COSE key thumbprint of RFC 9679, hex. */
export const keyId = async key => hex(await sha256(unhex('a301012006215820'), key));

/** The parts of a message with tag 18; a receipt has no payload. */
export function sign1(bytes) {
  need(bytes[0] === 0xd2 && bytes[1] === 0x84, 'shape');
  const [guarded, open, payload, signature] = new Reader(bytes, 2).items(4);
  need(isBytes(guarded) && open instanceof Map && isBytes(signature, 64), 'shape');
  need(payload === null || isBytes(payload), 'shape');
  return { guarded, open, payload, signature };
}

/** What such a signature is over. */
export const signedBytes = (guarded, payload) =>
  concat([0x84, 0x6a], utf8('Signature1'), byteString(guarded), [0x40], byteString(payload));

/** Whose key signs a kind (O organisation, D the subject's device) and the roles that may issue it. */
export const KINDS = new Map(`genesis O;network O registrar;organisation O registrar;key O;node;
facility;device O;event;label;readings D;emissions;finding;response;
accreditation accreditor regulator;masterdata;certificate certifier regulator customs;
recall producer distributor retailer regulator;confirmation;complaint;footprint;erasure O;demand;revocation O;inspection inspector regulator customs;
offer producer distributor retailer exchange inspector regulator customs association auditor;
claim producer distributor retailer exchange regulator association auditor`
  .split(/;\s*/).map(line => {
    const [kind, ...rules] = line.split(' ');
    const signer = rules[0] === 'O' || rules[0] === 'D' ? rules.shift() : '';
    return [kind, { signer, roles: rules }];
  }));

/** The byte that a log's entry says of who may read: 0 public, 1 members, 2 those named. */
function audience(aud) {
  need(aud === undefined || aud === 'members' || (Array.isArray(aud) && aud.length), 'shape');
  return aud === undefined ? 0 : aud === 'members' ? 1 : 2;
}

/** One attestation as stored, well formed; its signature is still to be checked. */
export async function attestation(bytes) {
  need(bytes.length <= 1 << 20, 'shape');
  const { guarded, open, payload, signature } = sign1(bytes);
  need(open.size === 0 && payload, 'shape');
  const [alg, type, kid, claims] = fields(decode(guarded), 1, 3, 4, 15);
  const [, kind] = /^application\/vnd\.hallmark\.([a-z]+)\+cbor$/.exec(type) || [];
  need(alg === -19 && isBytes(kid, 32) && claims instanceof Map, 'shape');
  need(KINDS.has(kind), 'kind');
  const [iss, sub, aud, iat] = [1, 2, 3, 6].map(label => claims.get(label));
  need(typeof iss === 'string' && typeof sub === 'string' && isCount(iat), 'shape');
  const body = decode(payload);
  need(body instanceof Map && body.size <= 64 && body.get('v') === 1, 'shape');
  need(isBytes(body.get('salt'), 16), 'shape');
  const key = body.get('key');
  if (['device', 'organisation', 'key'].includes(kind)) need(isBytes(key, 32) && isKey(key), 'key');
  need(kind !== 'device' || sub.startsWith(iss.replace(':org:', ':device:') + ':'), 'signer');
  if (kind === 'revocation') need(isBytes(key, 32) && isInstant(body.get('since')), 'shape');
  if (kind === 'event') JSON.parse(body.get('epcis'));
  const signed = signedBytes(guarded, payload);
  return { kind, kid: hex(kid), iss, sub, aud: audience(aud), body, key, signed, signature };
}
