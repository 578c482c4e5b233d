// The settings, and how a model is added.
export const settings = {
} as const;
