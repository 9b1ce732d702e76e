"""Until the store has tables: a stand-in that keeps them in memory."""

import numpy as np

import xfactor.store as store
from xfactor import PanelError

if not hasattr(store, "append_table"):
    TABLES: dict = {}
    plain_add = store.add_fields

    def append_table(path, name, columns):
        old = TABLES.setdefault(str(path), {}).get(name)
        new = {k: np.asarray(v) for k, v in columns.items()}
        assert len({len(v) for v in new.values()}) == 1
        TABLES[str(path)][name] = (
            new if old is None else {k: np.concatenate([old[k], new[k]]) for k in old}
        )

    def read_table(path, name, columns=None):
        if name not in TABLES.get(str(path), {}):
            raise PanelError(f"no table {name}")
        table = TABLES[str(path)][name]
        return {k: table[k] for k in (columns or table)}

    def table_names(path):
        return sorted(TABLES.get(str(path), {}))

    def add_fields(fields, path, *, tables=None, progress=False):
        out = plain_add(fields, path, progress=progress)
        for name, columns in (tables or {}).items():
            append_table(path, name, columns)
        return out

    def update_panel(cells, path, *, tables=None, overwrite_missing=False, progress=False):
        assert overwrite_missing
        whole = store.open_panel(path).load()
        at = {d: cells.indexes[d] for d in ("date", "asset")}
        for name, v in cells.compute().data_vars.items():
            whole[name].loc[at] = v.transpose("date", "asset")
        store.write_panel(whole, path, overwrite=True)
        for name, columns in (tables or {}).items():
            append_table(path, name, columns)
        return path

    for function in (append_table, read_table, table_names, add_fields, update_panel):
        setattr(store, function.__name__, function)
