"""``decalage advise``: measure, decide, save."""
