// Rows of a draft or a run.
import type { HandlersOf } from '../handlers.ts';

export const rows: HandlersOf<'rows'> = {
  'rows.summary': ({ core }, { of }) => core.drafts.summary(of),
  'rows.page': ({ core }, { of, ...filter }) => core.drafts.page(of, filter),
  'rows.life': ({ core }, { of, number }) => core.rowLives.life(of, number),
  'rows.place': ({ core }, { of, number }) => core.rowLives.place(of, number),
  'rows.edit': ({ core }, { draft, number, row }) => {
    core.drafts.editRow(draft, number, row);
    return null;
  },
  'rows.add': ({ core }, { draft, row }) => ({ number: core.drafts.addRow(draft, row) }),
  'rows.delete': ({ core }, { draft, numbers }) => {
    core.drafts.deleteRows(draft, numbers);
    return null;
  },
  'rows.undo': ({ core }, { draft }) => {
    const { undoable } = core.drafts.summary({ draft });
    const undone = core.drafts.undo(draft);
    return { undone, change: undone ? undoable : null };
  },
  'rows.import': async ({ core }, { draft, file, format }) => {
    const report = await core.drafts.import(draft, core.files.take(file).path, format);
    // It is read: an upload need not lie there until the program ends. One of which nothing came in may be read as another format.
    if (report.added > 0) core.files.drop(file);
    return report;
  },
};
