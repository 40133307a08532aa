"""Files as this project opens and writes them, in one place: nothing here knows what is in them."""
