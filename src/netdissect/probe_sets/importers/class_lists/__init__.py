"""Class lists in the formats of people's tools; `formats` lists them."""
