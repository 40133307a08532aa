"""Downloads that survive: a text registry of what there is, and fetching that resumes, verifies and unpacks safely."""
