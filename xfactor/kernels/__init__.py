"""Array kernels: ndarrays in, new ndarrays out. They know no label, no dask and no file.

Row kernels take ``(row, n)`` and work along n (all assets of a date). Window kernels take
``(date, n)``, run down the dates, and get ``offset``, ``start`` and ``stop`` (see
`xfactor._apply.window`). Missing is NaN; infinities count as missing; sums are in float64.
"""
