import os

from django.shortcuts import render
from django.urls import path


def greet(request):
    return render(request, "greeting.html", {"greeting": os.environ.get("GREETING", "Hello"), "dyno": os.environ.get("DYNO")})


urlpatterns = [path("", greet)]
