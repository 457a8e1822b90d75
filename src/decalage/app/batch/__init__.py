"""``decalage batch``: many files, each captioned once."""
