import gzip

import numpy as np
import pandas as pd
import pytest

import xfactor as xf
from xfactor.ingest import read_french

FACTORS = (
    "This file was created by HAND using no database.\r\n"
    "The Tbill return is the simple daily rate that, over the days\r\n"
    "in the month, compounds to 1-month TBill rate.\r\n"
    "\r\n"
    ",Mkt-RF,SMB,HML,RF\r\n"
    "20130102,    2.62,    0.13,    0.35,   0.000\r\n"
    "20130103,   -0.14,  -99.99,    0.04,   0.001\r\n"
    "20130104,    0.55,    0.12, -999   ,   0.000\r\n"
    "\r\n"
    "Copyright 2013 Nobody\r\n"
)


def write(tmp_path, text):
    path = tmp_path / "factors.CSV"
    path.write_bytes(text.encode("latin-1"))
    return path


def test_read_french__gives_decimal_returns_by_date(tmp_path):
    factors = read_french(write(tmp_path, FACTORS))
    assert list(factors.data_vars) == ["Mkt-RF", "SMB", "HML", "RF"]
    assert factors.indexes["date"].equals(pd.date_range("2013-01-02", periods=3, name="date"))
    assert factors.date.dtype == "datetime64[ns]"
    np.testing.assert_allclose(factors["Mkt-RF"], [0.0262, -0.0014, 0.0055])
    np.testing.assert_allclose(factors["RF"], [0.0, 0.00001, 0.0])
    assert factors["SMB"].attrs["units"] == "decimal per session"


def test_read_french__codes_for_missing_become_missing(tmp_path):
    factors = read_french(write(tmp_path, FACTORS))
    np.testing.assert_array_equal(factors["SMB"].isnull(), [False, True, False])
    np.testing.assert_array_equal(factors["HML"].isnull(), [False, False, True])


def test_read_french__strips_the_blanks_of_names(tmp_path):
    text = "Some, text 20130101, 5.\n\n,Mom   \n20130102,   0.50\n"
    assert list(read_french(write(tmp_path, text)).data_vars) == ["Mom"]


def test_read_french__reads_gzip(tmp_path):
    path = write(tmp_path, FACTORS)
    zipped = tmp_path / "factors.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert read_french(zipped).identical(read_french(path))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "has 0 sections"),
        ("no data\n", "has 0 sections"),
        ("20130102, 1.0\n", "below a header"),
        (FACTORS + "\n,Mkt-RF\n2013, 1.0\n201301, 1.0\n", "has 2 sections"),
        (",A\n201301, 1.0\n", "daily dates YYYYMMDD"),
        (",A\n20130199, 1.0\n", "daily dates YYYYMMDD"),
        (",A\n20130102, x\n", "cannot be read"),
        (",A\n20130102, 1.0, 2.0\n", "needed 2 named columns"),
        ("no header\n20130102, 1.0\n", "needed 1 named columns"),
        (",A,A\n20130102, 1.0, 2.0\n", "needed 3 named columns"),
        (",A\n20130103, 1.0\n20130102, 1.0\n", "not sorted"),
        (",A\n20130102, 1.0\n20130102, 1.0\n", "more than once"),
    ],
)
def test_read_french__refuses_in_one_line(tmp_path, text, match):
    with pytest.raises(xf.PanelError, match=match) as caught:
        read_french(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_read_french__refuses_a_missing_file(tmp_path):
    with pytest.raises(xf.PanelError, match="no file is at"):
        read_french(tmp_path / "none.CSV")


def test_read_french__refuses_a_truncated_gzip(tmp_path):
    path = tmp_path / "factors.gz"
    path.write_bytes(gzip.compress(FACTORS.encode())[:-20])
    with pytest.raises(xf.PanelError, match="cannot be read"):
        read_french(path)
