// A certificate for 127.0.0.1 that its own key signed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whether the machine has what makes one. */
export const canCertify = spawnSync('openssl', ['version']).status === 0;

/** Makes certificate and key in a folder: their paths, and their PEM texts. */
export function certify(folder: string): { paths: { cert: string; key: string }; tls: { cert: string; key: string } } {
  const paths = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', paths.key, '-out', paths.cert, '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']);
  if (made.status !== 0) throw new Error(String(made.stderr));
  return { paths, tls: { cert: readFileSync(paths.cert, 'utf8'), key: readFileSync(paths.key, 'utf8') } };
}
