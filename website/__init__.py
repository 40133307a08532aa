"""The documentation site: hooks that mkdocs runs while it builds it, and the theme. The package netdissect does not import it."""
