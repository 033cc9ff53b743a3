import os

import lib
import psycopg2


def main():
    place = os.path.dirname(os.path.abspath(__file__))
    libpq = "libpq" if psycopg2.__libpq_version__ else "nothing"
    print(f"hello from lib {lib.VERSION} in {place} with {libpq}")
