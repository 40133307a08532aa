"""Add the addresses of the repository to the package's metadata, if a build names the repository (docs/decisions/0159)."""

from __future__ import annotations

import os

from hatchling.metadata.plugin.interface import MetadataHookInterface

#: The page of the paper, which is the same for every copy of the repository.
PAPER = "http://netdissect.csail.mit.edu"


class RepositoryUrls(MetadataHookInterface):
    """Sets `project.urls`."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, object]) -> None:
        """Set the URLs: those below the address in ``NETDISSECT_REPOSITORY``, and that of the paper."""
        repository = os.environ.get("NETDISSECT_REPOSITORY", "").rstrip("/")
        urls = {"Paper": PAPER}
        if repository:
            urls |= {
                "Source": repository,
                "Issues": f"{repository}/issues",
                "Documentation": f"{repository}/blob/main/docs/index.md",
                "Changelog": f"{repository}/blob/main/CHANGELOG.md",
            }
        metadata["urls"] = urls
