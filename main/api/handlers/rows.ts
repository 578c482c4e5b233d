// Rows of a draft or a run.
import type { HandlersOf } from '../handlers.ts';

export const rows: HandlersOf<'rows'> = {
  'rows.page': ({ core }, { of, ...filter }) => core.drafts.page(of, filter),
  'rows.edit': ({ core }, { draft, number, row }) => {
    core.drafts.editRow(draft, number, row);
    return null;
  },
  'rows.add': ({ core }, { draft, row }) => ({ number: core.drafts.addRow(draft, row) }),
  'rows.delete': ({ core }, { draft, numbers }) => {
    core.drafts.deleteRows(draft, numbers);
    return null;
  },
  'rows.undo': ({ core }, { draft }) => ({ undone: core.drafts.undo(draft) }),
  'rows.import': ({ core }, { draft, file, format }) => core.drafts.import(draft, core.files.take(file).path, format),
};
