// Session and protocol: handlers of schemes and permissions, as the app set them.
import { record } from './record.ts';

type SchemeHandler = (request: Request) => Response | Promise<Response>;
type PermissionRequest = (contents: unknown, permission: string, callback: (granted: boolean) => void, details: object) => void;
type PermissionCheck = (contents: unknown, permission: string, origin: string, details: object) => boolean;

export const schemes = new Map<string, SchemeHandler>();
/** Set when the app is ready. */
export const state = { ready: false };

export const protocol = {
  registerSchemesAsPrivileged(list: object[]): void {
    if (state.ready) throw new Error('schemes are registered before the app is ready');
    record('protocol.registerSchemesAsPrivileged', list);
  },
  handle(scheme: string, handler: SchemeHandler): void {
    schemes.set(scheme, handler);
  },
};

class Session {
  readonly protocol = protocol;
  request: PermissionRequest | null = null;
  check: PermissionCheck | null = null;
  device: ((details: object) => boolean) | null = null;

  setPermissionRequestHandler(handler: PermissionRequest | null): void {
    this.request = handler;
  }

  setPermissionCheckHandler(handler: PermissionCheck | null): void {
    this.check = handler;
  }

  setDevicePermissionHandler(handler: ((details: object) => boolean) | null): void {
    this.device = handler;
  }

  /** Whether a page gets a permission. Without handlers everything is granted, as Electron does. */
  async grants(contents: unknown, permission: string, origin: string): Promise<boolean> {
    if (this.check !== null && !this.check(contents, permission, origin, {})) return false;
    const { request } = this;
    if (request === null) return true;
    return new Promise((resolve) => request(contents, permission, resolve, { requestingUrl: origin }));
  }
}

const defaultSession = new Session();
export const session = {
  get defaultSession(): Session {
    if (!state.ready) throw new Error('there is no session before the app is ready');
    return defaultSession;
  },
};
