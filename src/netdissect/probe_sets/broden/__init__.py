"""Read, write, check and preview probe sets in the format of Broden (docs/broden.md)."""
