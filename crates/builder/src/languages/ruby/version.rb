# Whether the Ruby that runs this is the one that the Gemfile asks for. Writes both to files in the
# directory that it is given, for the words about it.
require "bundler"

begin
  asked = Bundler.definition.ruby_version
rescue Bundler::BundlerError => error
  abort error.message
end
if asked
  fits = asked.engine == "ruby" && Gem::Requirement.new(*asked.versions).satisfied_by?(Gem.ruby_version)
  unless fits
    name = asked.engine == "ruby" ? "" : "#{asked.engine} "
    File.write(File.join(ARGV[0], "asked"), name + asked.versions.join(", "))
    File.write(File.join(ARGV[0], "ruby"), RUBY_VERSION)
    exit 1
  end
end
