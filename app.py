"""The web application: ``python app.py``, ``flask run`` or ``gunicorn app:app``."""

from showtell.web import create_app, serve

app = create_app()

if __name__ == "__main__":
    serve(app)
