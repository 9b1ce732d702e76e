"""Where an object store is: the parts of a URL, and the settings that come with it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from xfactor import panel as _panel

SCHEMES = {"s3": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az"}


@dataclass(frozen=True)
class Place:
    """A prefix in a bucket.

    Parameters
    ----------
    scheme
        s3, gs or az.
    bucket
        The bucket, or container.
    prefix
        Path in the bucket, without slashes at its ends.
    options
        Settings as pairs; what is not here comes from the environment.
    """

    scheme: str
    bucket: str
    prefix: str
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def address(self) -> str:
        """The URL without settings, for messages."""
        return f"{self.scheme}://{self.bucket}/{self.prefix}"

    @property
    def settings(self) -> dict[str, str]:
        """Settings by their names."""
        return dict(self.options)

    def beside(self, name: str) -> str:
        """Return the path of something beside the prefix."""
        parent = self.prefix.rpartition("/")[0]
        return f"{parent}/{name}" if parent else name

    @property
    def name(self) -> str:
        """The last part of the prefix."""
        return self.prefix.rpartition("/")[2]


def place_of(url: str) -> Place:
    """Return the place that a URL means.

    Parameters
    ----------
    url
        ``s3://bucket/panel.zarr``; settings such as an endpoint stand behind a question mark:
        ``s3://bucket/panel.zarr?endpoint=http://localhost:9000&region=eu-west-1``.

    Returns
    -------
    Place
        The place.

    Raises
    ------
    PanelError
        If the scheme is unknown, or bucket or path are lacking.
    """
    parts = urlsplit(url)
    scheme = SCHEMES.get(parts.scheme)
    prefix = parts.path.strip("/")
    if scheme is None:
        raise _panel.error(
            f"{url.partition('?')[0]} was given",
            f"a folder, or a URL that begins with {', '.join(SCHEMES)} or icechunk",
            "Change it",
        )
    if not parts.netloc or not prefix:
        raise _panel.error(
            f"{url.partition('?')[0]} was given",
            f"a bucket and a path in it: {scheme}://bucket/panel.zarr",
            "Name both",
        )
    return Place(scheme, parts.netloc, prefix, tuple(sorted(parse_qsl(parts.query))))


def s3_endpoint(settings: Mapping[str, str]) -> str | None:
    """Return the endpoint that settings or the environment name; None means Amazon's."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if os.environ.get(name) and "endpoint" not in settings:
            return os.environ[name]
    return settings.get("endpoint")
