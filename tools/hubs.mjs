// @ts-check
import { AddressError } from './http.mjs';

/**
 * A host of models: Hugging Face's layout of addresses, or ModelScope's. `token` is what a person got from this very host.
 * @typedef {{ kind: 'huggingface' | 'modelscope', base: string, token: string | null }} Hub
 *
 * A file in a repository of a hub.
 * @typedef {{ repo: string, revision: string, file: string }} HubFile
 */

export const HUGGING_FACE = 'https://huggingface.co';
export const HF_MIRROR = 'https://hf-mirror.com';
export const MODELSCOPE = 'https://www.modelscope.cn';

/** @param {string} text */
function base(text) {
  return (text.includes('://') ? text : `https://${text}`).replace(/\/+$/, '');
}

/**
 * The hubs that the environment names, as the hubs' own tools read it: HF_ENDPOINT with HF_TOKEN, MODELSCOPE_DOMAIN with
 * MODELSCOPE_API_TOKEN. HF_TOKEN goes to HF_ENDPOINT where there is one: it is that host's then, not Hugging Face's.
 * @param {NodeJS.ProcessEnv} env
 * @returns {{ endpoint: Hub | null, huggingface: Hub, mirror: Hub, modelscope: Hub }}
 */
export function environmentHubs(env) {
  const token = env['HF_TOKEN'] || null;
  const named = env['HF_ENDPOINT'] ? base(env['HF_ENDPOINT']) : null;
  return {
    endpoint: named === null || named === HUGGING_FACE ? null : { kind: 'huggingface', base: named, token },
    huggingface: { kind: 'huggingface', base: HUGGING_FACE, token: named === null || named === HUGGING_FACE ? token : null },
    mirror: { kind: 'huggingface', base: HF_MIRROR, token: null },
    modelscope: { kind: 'modelscope', base: base(env['MODELSCOPE_DOMAIN'] || MODELSCOPE), token: env['MODELSCOPE_API_TOKEN'] || null },
  };
}

/**
 * The same hubs, once each of them is one that can be asked: what a person wrote into the environment may be anything.
 * @param {Hub[]} hubs
 * @returns {Hub[]}
 * @throws {AddressError} for a hub whose address is none
 */
export function checkedHubs(hubs) {
  for (const { kind, base: address } of hubs) {
    if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) continue;
    throw new AddressError(`${kind === 'modelscope' ? 'MODELSCOPE_DOMAIN' : 'HF_ENDPOINT'} is not the address of a hub`);
  }
  return hubs;
}

/**
 * The hubs in their usual order.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Hub[]}
 * @throws {AddressError} where the environment names a hub whose address is none
 */
export function defaultHubs(env) {
  const { endpoint, huggingface, mirror, modelscope } = environmentHubs(env);
  return checkedHubs([...(endpoint === null ? [] : [endpoint]), huggingface, mirror, modelscope]);
}

/**
 * What shows a hub who asks.
 * @param {Hub} hub
 * @returns {import('./http.mjs').Credentials | null}
 */
export function credentialsOf({ kind, base: address, token }) {
  if (token === null) return null;
  /** @type {Record<string, string>} */
  const headers = { authorization: `Bearer ${token}` };
  // ModelScope's older addresses know a person by this cookie alone.
  if (kind === 'modelscope') headers['cookie'] = `m_session_id=${token}`;
  return { origin: new URL(address).origin, headers };
}

/**
 * Where a hub keeps a file.
 * @param {Hub} hub
 * @param {HubFile} file
 * @returns {string}
 */
export function fileUrl({ kind, base: address }, { repo, revision, file }) {
  const path = file.split('/').map(encodeURIComponent).join('/');
  const folder = kind === 'modelscope' ? `models/${repo}` : repo;
  return `${address}/${folder}/resolve/${encodeURIComponent(revision)}/${path}`;
}
