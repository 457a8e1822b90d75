"""``python -m decalage``."""

from decalage.app.cli import main

main()
