// The screen "Learn from".
export const learn = {
} as const;
