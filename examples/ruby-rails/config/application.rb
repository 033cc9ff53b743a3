require_relative "boot"

require "rails"
require "action_controller/railtie"
require "action_view/railtie"
require "sprockets/railtie"

module Greetings
  class Application < Rails::Application
    config.load_defaults 7.2
    config.eager_load = Rails.env.production?
    config.public_file_server.enabled = ENV["RAILS_SERVE_STATIC_FILES"].present?
    config.public_file_server.headers = { "cache-control" => "public, max-age=31536000" }
    config.assets.compile = !Rails.env.production?
    config.log_level = :info
    if ENV["RAILS_LOG_TO_STDOUT"].present?
      $stdout.sync = true
      config.logger = ActiveSupport::TaggedLogging.new(ActiveSupport::Logger.new($stdout))
    end
    # Kigo's router tells the host; a reverse proxy in front of it does TLS.
    config.hosts.clear
  end
end
