export PATH="$HOME/.heroku/python/bin:$PATH"
export PYTHONUNBUFFERED=true
# The environment knows where its Python is.
unset PYTHONHOME
export LANG=${LANG:-C.UTF-8}
export PYTHONPATH=${PYTHONPATH:-$HOME}
