"""What peers get wrong, as facts to hold against: each row is one of their known bugs."""

import numpy as np
import pytest
import xarray as xr

import xfactor as xf

NAN = np.nan


def row(*values):
    return xr.DataArray([list(values)], dims=("date", "asset"))


def test_rank__of_a_group_with_a_missing_member_ranks_the_others():
    """A pipeline engine turns the whole group missing."""
    by = xr.DataArray([0, 0, 1, 1, 0], dims="asset")
    got = xf.rank(row(1.0, NAN, 3.0, 2.0, 0.5), by=by, method="average")
    np.testing.assert_array_equal(got.values, [[2, NAN, 2, 1, 1]])


@pytest.mark.parametrize("method", ["average", "min", "max", "dense", "ordinal"])
def test_rank__of_a_row_with_a_missing_cell_ranks_the_others(method):
    """The same engine turns the whole row missing for all methods but the ordinal one."""
    got = xf.rank(row(3.0, NAN, 1.0), method=method)
    np.testing.assert_array_equal(got.values, [[2, NAN, 1]])


def test_qcut__of_ties_and_of_nothing_does_not_raise():
    """Edges that are not unique raise in pandas; a row with nothing raises in the engine."""
    got = xf.qcut(row(0.0, 0.0, 0.0, 0.0, 1.0, 2.0), 3)
    np.testing.assert_array_equal(got.values, [[0, 0, 0, 0, 2, 2]])
    np.testing.assert_array_equal(xf.qcut(row(NAN, NAN), 3).values, [[-1, -1]])


def test_winsorize__of_an_empty_row_does_not_raise():
    np.testing.assert_array_equal(xf.winsorize(row(NAN, NAN), 0.1).values, [[NAN, NAN]])


def test_drawdown__is_measured_from_the_peak():
    """From 2 back to 1 half is lost; divided by the trough it would be all."""
    got = xf.drawdown(xr.DataArray([1.0, -0.5, 1.0], dims="date"))
    np.testing.assert_allclose(got.values, [0.0, -0.5, 0.0])


def test_decay_linear__leaves_missing_values_out_of_its_weights():
    """Counted as zeros they would pull the mean to 0."""
    got = xf.decay_linear(xr.DataArray([5.0, NAN, 5.0], dims="date"), window=3, min_obs=1)
    np.testing.assert_allclose(got.values, [5.0, 5.0, 5.0], rtol=1e-15)


def test_growth__of_a_loss_that_shrinks_is_positive():
    got = xf.growth(xr.DataArray([-4.0, -2.0, 0.0, 1.0], dims="date"))
    np.testing.assert_allclose(got.values, [NAN, 0.5, 1.0, NAN])
