"""The web application: ``python app.py [--port P]``, ``flask run`` or ``gunicorn app:app``."""

import sys

if __name__ == "__main__":
    from showtell.cli import main

    main(["serve", *sys.argv[1:]])
else:
    from showtell.web import create_app

    app = create_app()
