# Addresses of other services under the names by which Spring looks for them, unless the app has them
# already. Follows Heroku's jvm-common; data sources are in jdbc.sh.

# Sets $2 from $1 if it is not set and $3 does not forbid it.
_spring() {
    if [ "${!3:-}" != true ] && [ -z "${!2:-}" ] && [ -n "${!1:-}" ]; then
        export "$2=${!1}"
    fi
}

_spring REDIS_URL SPRING_REDIS_URL DISABLE_SPRING_REDIS_URL
_spring REDIS_URL SPRING_DATA_REDIS_URL DISABLE_SPRING_REDIS_URL
_spring INFERENCE_KEY SPRING_AI_OPENAI_APIKEY DISABLE_SPRING_AI_CONFIG
_spring INFERENCE_URL SPRING_AI_OPENAI_BASEURL DISABLE_SPRING_AI_CONFIG
_spring INFERENCE_MODEL_ID SPRING_AI_OPENAI_CHAT_OPTIONS_MODEL DISABLE_SPRING_AI_CONFIG
unset -f _spring
