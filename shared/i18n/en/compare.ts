// The screen "Compare".
export const compare = {
} as const;
