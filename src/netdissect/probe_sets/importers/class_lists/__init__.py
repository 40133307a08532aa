"""Parse class lists; `formats` lists the formats."""
