// Address: app://HOST is https://HOST.app.standin.test for the browser, which would end a navigation to an unknown scheme
// before anyone could answer it.
const SUFFIX = '.app.standin.test';

/** The address as the browser knows it. */
export function toBrowser(address: string): string {
  return address.replace(/^app:\/\/([^/?#]*)/, (_all, host: string) => `https://${host}${SUFFIX}`);
}

/** The address, or origin, as the app knows it. */
export function toApp(address: string): string {
  return address.replace(/^https:\/\/([^/?#]*)\.app\.standin\.test/, (_all, host: string) => `app://${host}`);
}
