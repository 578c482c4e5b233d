// Notice: a notification of the system, where it has them.
import { Notification } from 'electron';

// One that nothing refers to is collected, and its click with it.
const shown = new Set<Notification>();

/** Shows a notification; a click on it calls `onClick`. Systems without notifications, or that refuse, show nothing. */
export function showNotice(title: string, body: string, onClick: () => void): void {
  if (!Notification.isSupported()) return;
  const notice = new Notification({ title, body });
  shown.add(notice);
  const forget = (): void => void shown.delete(notice);
  notice.on('click', () => {
    forget();
    onClick();
  });
  notice.on('close', forget);
  notice.on('failed', forget);
  notice.show();
}
