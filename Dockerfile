# docker build -t showtell . && docker run --rm -p 127.0.0.1:5000:5000 showtell
FROM python:3.13-slim

WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY showtell showtell
RUN pip install --no-cache-dir --require-hashes -r requirements.lock && pip install --no-cache-dir --no-deps .

USER 10001:10001
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5000/healthz', timeout=8)"]
CMD ["showtell", "serve", "--host", "0.0.0.0"]
