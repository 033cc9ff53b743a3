import os

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI(title="Greetings")


class Greeting(BaseModel):
    text: str
    dyno: str


@app.get("/")
def greet(name: str = "world") -> Greeting:
    greeting = os.environ.get("GREETING", "Hello")
    return Greeting(text=f"{greeting}, {name}, from FastAPI", dyno=os.environ.get("DYNO", "nowhere"))
