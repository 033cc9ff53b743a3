export PATH="$HOME/.heroku/python/bin:$PATH"
export PYTHONUNBUFFERED=true
export PYTHONPATH=${PYTHONPATH:-$HOME}
export LANG=${LANG:-C.UTF-8}
# Where gunicorn and uvicorn find out about the router in front of them, and where they log.
export FORWARDED_ALLOW_IPS=${FORWARDED_ALLOW_IPS:-*}
export GUNICORN_CMD_ARGS=${GUNICORN_CMD_ARGS:---access-logfile -}
