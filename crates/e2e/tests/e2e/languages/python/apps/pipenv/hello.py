import importlib.metadata
import sys

version = importlib.metadata.version("click")
print(f"hello with click {version} and python {sys.version_info.major}.{sys.version_info.minor}")
