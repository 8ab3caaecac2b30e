"""``python -m showtell`` is the command ``showtell``."""

from showtell.cli import main

main(prog_name="python -m showtell")
