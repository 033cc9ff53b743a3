# Where gunicorn and uvicorn find out about the router in front of them, and where they log.
export FORWARDED_ALLOW_IPS='*'
export GUNICORN_CMD_ARGS=${GUNICORN_CMD_ARGS:-"--access-logfile -"}
