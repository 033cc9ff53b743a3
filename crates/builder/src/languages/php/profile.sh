export PATH="$HOME/.heroku/php/bin:$PATH"
# Debian's own directory first, so that this only changes what Heroku's PHP changes.
export PHP_INI_SCAN_DIR="${PHP_INI_SCAN_DIR-}:$HOME/.heroku/php/conf.d"
