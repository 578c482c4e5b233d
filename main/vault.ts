// Vault: the system's way of keeping a secret so that only this person's account can read it again.

export interface Vault {
  /** The text as it may lie on the disk; null where the system keeps no secrets: it then stays in memory. */
  seal(text: string): Promise<string | null>;
  /** The text of what `seal` gave; null where it cannot be read any more. */
  open(sealed: string): Promise<string | null>;
}
