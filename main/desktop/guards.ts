// Guards: what no page may do, however it got into a window: go elsewhere, open windows, embed pages, get permissions.
import { app, type Session, type WebContents } from 'electron';
import { openLink } from './links.ts';
import { isAppUrl } from './protocol.ts';

/** Tells of a refusal: one line, without anything that a page could forge lines with. */
export type OnRefused = (what: string) => void;

function guard(contents: WebContents, refused: OnRefused): void {
  const elsewhere = (event: { url: string; preventDefault(): void }): void => {
    if (isAppUrl(event.url)) return;
    event.preventDefault();
    refused(`navigation to ${JSON.stringify(event.url.slice(0, 200))}`);
  };
  contents.on('will-navigate', elsewhere);
  contents.on('will-frame-navigate', elsewhere);
  contents.on('will-redirect', elsewhere);
  // A link to a licence opens in the browser of the system; a window of our own never opens.
  contents.setWindowOpenHandler(({ url }) => {
    if (!openLink(url)) refused(`window for ${JSON.stringify(url.slice(0, 200))}`);
    return { action: 'deny' };
  });
  contents.on('will-attach-webview', (event) => {
    event.preventDefault();
    refused('webview');
  });
}

/** Guards every web contents that is made from now on. Before the app is ready, so that none escapes. */
export function guardAllContents(refused: OnRefused): void {
  app.on('web-contents-created', (_event, contents) => guard(contents, refused));
}

/** Denies every permission and device of a session; Electron grants them unless told otherwise. */
export function denyPermissions(session: Session): void {
  session.setPermissionRequestHandler((_contents, _permission, callback) => callback(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
}
