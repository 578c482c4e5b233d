// The list of past assistants, and what can be done with them.
export const assistants = {
} as const;
