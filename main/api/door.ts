// Door: what differs between the ways in through which windows come.

export interface Door {
  readonly kind: 'desktop' | 'serve';
  /** Shows a folder of this machine in its file manager. Throws door.unsupported where the person sits elsewhere. */
  show(path: string): Promise<void>;
  /** Hands a file to the person: a file id to download it by, or null where it lies on their machine already. */
  offer(path: string, name: string): Promise<string | null>;
}
