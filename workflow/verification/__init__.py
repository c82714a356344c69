"""Makes tables that are made of others, and a random sample of what jobs made, again, and says whether they agree."""
