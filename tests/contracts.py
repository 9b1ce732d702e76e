"""What every transform promises, checked from a table: one `Case` a function and its options.

A test file lists its cases and calls these checks; `tests/test_cross_section.py` shows how. A new
transform gets all of them by one more line in the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import strategies as st

from tests import strategies

# Every statistic is accumulated in float64 over at most 40 values of one window or row: some
# hundred roundings of 1e-16, relative to the largest value that takes part.
ROUNDING = 1e-12
# A float32 result is rounded once, at 6e-8.
SINGLE = 2e-7


@dataclass(frozen=True)
class Case:
    """A public transform, its options, and the naive twin of it."""

    name: str
    function: Callable[..., Any]
    options: Mapping[str, Any]
    oracle: Callable[[xr.DataArray], xr.DataArray]
    dim: str = "asset"
    exact: bool = False  # the result is a count, a choice or a copy: nothing is rounded
    dtype: Any = None  # of the result; that of the input if None
    dataset: bool = True
    where: bool = True
    scaled: bool = True  # the result has the units of the input
    domain: str = "numbers"  # what it is meant for: numbers, prices or returns
    ahead: bool = False  # reads the future
    rounds: bool = False  # float32 values are rounded on the way, not only at the end
    fills: bool = False  # gives values to missing cells, of the universe only
    units: Any = ...  # of the result: "same", "1" or None; see `described` if not given
    moves: bool = False  # also codes and masks

    def __call__(self, x: Any, **more: Any) -> Any:
        return self.function(x, **self.options, **more)

    def __str__(self) -> str:
        words = [f"{k}={v}" for k, v in self.options.items()]
        return f"{self.name}({', '.join(words)})"

    def suited(self, x: xr.DataArray) -> xr.DataArray:
        """The values, made such as the function is meant for; a few odd ones stay."""
        if self.domain == "prices":
            return x.where(~(x < -1), -x).transpose(*x.dims)
        if self.domain == "returns":  # products that leave the floats have a test of their own
            return x.clip(-1.5, 1.5).where(np.isfinite(x)).transpose(*x.dims)
        return x

    def described(self, names: Mapping[str, Any]) -> dict[str, Any]:
        """The attrs of the result where the input has `names` and units of USD."""
        units = self.units
        if units is ...:
            same = self.scaled and self.dtype is None and self.domain == "numbers"
            units = "same" if same else "1"
        if units == "same":
            return {**names, "units": "USD"}
        return {} if units is None else {"units": units}

    def cut(self) -> tuple[str, ...]:
        """The dims that may be cut into chunks."""
        return ("date",) if self.dim == "asset" else ("date", "asset")


def bits(x: xr.DataArray) -> bytes:
    """The bytes of the values, with one kind of NaN."""
    values = np.ascontiguousarray(x.values)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), values.dtype.type(np.nan), values)
    return values.tobytes()


def assert_same_bits(got: Any, want: Any) -> None:
    """Same kind, dims, coords, name, attrs, dtype, and the same bits."""
    xr.testing.assert_identical(got, want)
    pairs = [(got, want)]
    if isinstance(got, xr.Dataset):
        pairs = [(got[name], want[name]) for name in got.data_vars]
    for a, b in pairs:
        assert a.dtype == b.dtype
        assert bits(a) == bits(b)


def assert_values(got: xr.DataArray, want: xr.DataArray, scale: float = 1.0) -> None:
    """Missing in the same cells, close elsewhere; `scale` is the size of what was summed."""
    want = want.transpose(*got.dims)
    single = got.dtype == np.float32
    atol = ROUNDING * max(scale, 1e-300)
    np.testing.assert_allclose(
        got.values.astype(float),
        want.values.astype(float),
        rtol=SINGLE if single else 1e-9,
        atol=SINGLE * 1e-6 + atol if single else atol,
    )


def size_of(x: xr.DataArray) -> float:
    """The largest finite value, for tolerances."""
    finite = np.abs(x.values[np.isfinite(x.values)].astype(float))
    return float(finite.max()) if finite.size else 0.0


# --- the checks ---------------------------------------------------------------------------------


def by_name(cases: list[Case]) -> list[list[Case]]:
    """The cases of each function together, so that a search can draw among its options."""
    names = dict.fromkeys(c.name for c in cases)
    return [[c for c in cases if c.name == name] for name in names]


def name_of(cases: list[Case]) -> str:
    return cases[0].name


def check_oracle(case: Case, x: xr.DataArray) -> None:
    got, want = case(x), case.oracle(x)
    if case.exact:
        np.testing.assert_array_equal(
            got.values.astype(float),
            want.transpose(*got.dims).values.astype(got.dtype).astype(float),
        )
    else:
        scale = size_of(x) if case.scaled else 1.0
        single = case.rounds and x.dtype == np.float32
        assert_values(got, want, scale * (SINGLE / ROUNDING if single else 1.0))


def check_chunks(case: Case, x: xr.DataArray, data: st.DataObject) -> None:
    """Bit for bit what it is without chunks, with and without a universe."""
    mask = data.draw(st.none() | strategies.masks(x)) if case.where else None
    universe = {} if mask is None else {"where": mask}
    lazy = data.draw(strategies.chunked(x, case.cut()))
    if mask is not None and data.draw(st.booleans()):
        sizes = {d: lazy.chunksizes[d] for d in mask.dims}
        universe = {"where": mask.chunk(sizes)}
    want = case(x) if mask is None else case(x, where=mask)
    got = case(lazy, **universe)
    assert got.chunks is not None
    assert got.dtype == want.dtype
    assert_same_bits(got.compute(), want)


def check_where(case: Case) -> None:
    """`where` is the same as making the cells missing by hand."""
    whole = strategies.fixed_panel()
    for x in (whole, whole.transpose("asset", "date"), whole.astype(np.float32)):
        for mask in strategies.fixed_masks(x):
            want = case(x.where(mask).transpose(*x.dims))
            if case.fills:
                want = want.where(mask).transpose(*x.dims)
            assert_same_bits(case(x, where=mask), want)


def check_kept(case: Case) -> None:
    """Kind, dims, order, coords, name and dtype of the input; the input untouched.

    Of the attrs, those that are true of the result.
    """
    for dtype in (np.float64, np.float32):
        x = strategies.fixed_panel(dtype)
        _check_kept(case, x)
        _check_kept(case, x.transpose("asset", "date").copy(deep=True))


NAMES = {
    "long_name": "closing price", "standard_name": "price", "flag_values": [1, 2],
    "flag_meanings": "low high",
}  # fmt: skip


def _check_kept(case: Case, x: xr.DataArray) -> None:
    x.attrs = {"units": "USD", "source": "drawn", **NAMES}
    x.encoding = {"dtype": "int16", "scale_factor": 0.01}
    before = x.copy(deep=True)
    x.values.flags.writeable = False
    got = case(x)
    assert_same_bits(x, before)
    assert got.dims == x.dims
    assert got.name == x.name
    assert got.attrs == {"source": "drawn", **case.described(NAMES)}
    assert got.encoding == {}
    assert "units" not in case(x.drop_attrs()).attrs
    _check_coords(got, x)
    if case.where:
        mask = xr.ones_like(x, dtype=bool).assign_coords(universe="big", rank=x["asset"])
        _check_coords(case(x, where=mask.assign_coords(symbol=("asset", mask["asset"].data))), x)
        unlabelled = x.drop_vars(list(x.coords))
        _check_coords(case(unlabelled, where=mask), unlabelled)
    assert got.dtype == (case.dtype or x.dtype)
    assert not np.shares_memory(got.values, x.values) or case.options.get("periods") == 0


def _check_coords(got: xr.DataArray, x: xr.DataArray) -> None:
    assert set(got.coords) == set(x.coords)
    for name in x.coords:
        xr.testing.assert_identical(got[name], x[name])


def check_lazy(case: Case, panel: xr.Dataset, raise_if_computes: Any) -> None:
    """Nothing is computed before it is asked for, for arrays, datasets and masks."""
    chunked = panel.chunk(date=5)
    with raise_if_computes():
        result = case(chunked["close"])
        assert result.chunks is not None
        if case.dataset:
            fields = case(chunked[["close", "weight"]])
            assert all(v.chunks is not None for v in fields.data_vars.values())
        if case.where:
            assert case(chunked["close"], where=chunked["listed"]).chunks is not None


def check_dataset(case: Case, panel: xr.Dataset) -> None:
    """A Dataset gives the Dataset of what its variables give; others pass through.

    Others are those without the dim, codes, masks, dates and text.
    """
    other = "date" if case.dim == "asset" else "asset"
    ds = panel[["close", "weight"]].assign(alone=(other, np.arange(panel.sizes[other])))
    still = ["alone"]
    if not case.moves:
        dims, shape = panel["close"].dims, panel["close"].shape
        ds = ds.assign(panel[["sector", "listed"]])
        ds["filed"] = dims, np.full(shape, np.datetime64("2019-01-01", "s"))
        ds["currency"] = dims, np.full(shape, "USD")
        still += ["sector", "listed", "filed", "currency"]
    got = case(ds)
    assert isinstance(got, xr.Dataset)
    assert got.attrs == ds.attrs
    assert list(got.data_vars) == list(ds.data_vars)
    for name in ("close", "weight"):
        assert_same_bits(got[name], case(ds[name]))
    for name in still:
        assert_same_bits(got[name], ds[name])


def check_extra_dims(case: Case, panel: xr.Dataset) -> None:
    """A further dim, before, between or after, is a loop over its labels."""
    x = panel["close"].drop_vars("symbol")
    signals = xr.concat([x, -2.0 * x, x.where(x > 20.0)], dim="signal").assign_coords(
        signal=["a", "b", "c"]
    )
    wanted = [case(signals.sel(signal=s, drop=True)) for s in signals["signal"].values]
    for dims in (("signal", "date", "asset"), ("asset", "signal", "date"),
                 ("date", "asset", "signal")):  # fmt: skip
        got = case(signals.transpose(*dims))
        assert got.dims == dims
        cut = case(signals.transpose(*dims).chunk(date=5, signal=2))
        assert_same_bits(cut.compute(), got)
        for k, want in enumerate(wanted):
            one = got.isel(signal=k, drop=True).transpose(*want.dims)
            np.testing.assert_array_equal(one.values, want.values)


def check_odd_arrays(case: Case, panel: xr.Dataset) -> None:
    """Memory order, byte order, strides and other dtypes do not matter."""
    x = panel["close"]
    want = case(x)
    for values in (np.asfortranarray(x.values), x.values.astype(">f8"),
                   np.repeat(x.values, 2, axis=1)[:, ::2]):  # fmt: skip
        got = case(x.copy(data=values))
        np.testing.assert_array_equal(got.values, want.values)
    whole = panel["volume"]
    for dtype in (np.int16, np.uint16, np.int64, np.float16, np.bool_):
        number = whole.astype(dtype)
        got = case(number)
        if case.name != "lag":
            np.testing.assert_array_equal(got.values, case(number.astype(float)).values)
            assert got.dtype == (case.dtype or np.float64)


def check_empty(case: Case, n_dates: int, n_assets: int) -> None:
    """No dates or no assets give a result of no cells, in memory or lazily."""
    x = xr.DataArray(np.zeros((n_dates, n_assets)), dims=("date", "asset"))
    for each in (x, x.chunk(date=-1)):
        assert case(each).compute().shape == (n_dates, n_assets)
