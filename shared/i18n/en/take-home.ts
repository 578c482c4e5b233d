// The screen "Take home".
export const takeHome = {
} as const;
