"""Class lists in every format that people's tools write: `formats` is the table of them."""
