// Sidebar: whether the list of assistants lies over a narrow page.
export const sidebar = $state({ open: false });
