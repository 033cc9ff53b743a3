# pytest if the app has it, or else Django's tests, or those that Python finds by itself.
has_module() { python -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$1') is None)" 2> /dev/null; }
manage=$(find . -maxdepth 3 -name manage.py -type f ! -path './.heroku/*' -printf '%d\t%P\n' | sort -n | head -n 1 | cut -f 2)
if has_module pytest; then
    tests="pytest"
elif [ -n "$manage" ] && has_module django; then
    tests="python $manage test"
elif [ -n "$(find . -name 'test*.py' -type f ! -path './.heroku/*' -print -quit)" ]; then
    tests="python -m unittest"
fi
