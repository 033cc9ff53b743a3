# Composer's script `test`, or else the program of a test framework.
bin=$(. ./.heroku/php/settings && printf '%s' "$bin")
if jq --exit-status '.scripts.test' "${COMPOSER:-composer.json}" > /dev/null 2>&1; then
    tests="composer test"
else
    for program in pest phpunit behat phpspec codecept kahlan; do
        [ -f "$bin/$program" ] || continue
        tests="$bin/$program"
        [ "$program" = pest ] || [ "$program" = phpunit ] || tests="$tests run"
        break
    done
fi
