# RSpec if the app has specs, or else the tests of Rails, or those of a Rakefile.
if [ -d spec ] && grep -q '^ *rspec-core (' Gemfile.lock 2> /dev/null; then
    tests="bundle exec rspec"
elif [ -f bin/rails ] && [ -d test ]; then
    tests="bin/rails test"
elif bundle exec rake -P 2> /dev/null | grep -q '^rake test$'; then
    tests="bundle exec rake test"
elif bundle exec rake -P 2> /dev/null | grep -q '^rake spec$'; then
    tests="bundle exec rake spec"
fi
