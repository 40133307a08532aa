"""Download probe sets, sources and networks: a registry, and downloads that resume, verify and unpack safely."""
