// The screen "Train".
export const train = {
} as const;
