"""Baseline for memory: Flask's hello world, and nothing else."""

from flask import Flask

app = Flask(__name__)


@app.get("/hello")
def hello() -> str:
    return "<p>Hello, World!</p>"
