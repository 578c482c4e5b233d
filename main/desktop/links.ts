// Links: the only addresses that the app hands to the system's browser: where licences, models and documents live.
import { shell } from 'electron';

const HOSTS: ReadonlySet<string> = new Set([
  'github.com',
  'huggingface.co',
  'hf-mirror.com',
  'modelscope.cn',
  'www.modelscope.cn',
  'www.apache.org',
  'www.llama.com',
]);

/** Whether an address is https on one of the hosts, without a name, password or port. */
export function isAllowedLink(address: string): boolean {
  try {
    const url = new URL(address);
    return url.protocol === 'https:' && HOSTS.has(url.host) && url.username === '' && url.password === '';
  } catch {
    return false;
  }
}

/** Opens an allowed address in the system's browser; false, and nothing happens, for any other. */
export function openLink(address: string): boolean {
  if (!isAllowedLink(address)) return false;
  // What the system does with it is not the app's to know.
  void shell.openExternal(new URL(address).href).catch(() => undefined);
  return true;
}
