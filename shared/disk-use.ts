// Disk use: what a home takes of the disk, in bytes.
export interface DiskUse {
  /** Assistants with their checkpoints. */
  runs: number;
  /** Deleted ones that can still be brought back. */
  trash: number;
  models: number;
  /** What was taken home. */
  exports: number;
  /** Everything of the home, these included. */
  all: number;
  /** What is left on its disk. */
  free: number;
}
